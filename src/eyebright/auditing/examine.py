"""Everything that is looked for, in one go: from material to findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from eyebright.auditing.classes import overlaps, rare
from eyebright.auditing.copies import CopyPairs, find_copies
from eyebright.auditing.faults import CALLED_FAULTY, find_faults
from eyebright.auditing.findings import Finding, PlantedResult
from eyebright.auditing.labels import CALLED_WRONG, LabelErrors, budget, find_label_errors
from eyebright.auditing.material import Material
from eyebright.auditing.medoids import medoid_groups
from eyebright.auditing.oddities import USUAL, bordered, odd_sizes, outliers
from eyebright.auditing.registration import turn_name
from eyebright.auditing.shift import SIGNIFICANT, Shift, compare_parts
from eyebright.auditing.shortcuts import SIGNIFICANT as SHORTCUT_SIGNIFICANT
from eyebright.auditing.shortcuts import TELLING, find_shortcuts, properties
from eyebright.data.manifest import JOINT, Manifest
from eyebright.runtime.context import progress_task
from eyebright.task.task import ClassificationTask
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.targets import truth_of
from eyebright.types import IntArray, Interval, Json, Split
