"""What `eyebright audit` finds of what is planted into real data, and how long it takes.

python benchmarks/audit.py copies DATA     planted copies: recall and precision by kind
python benchmarks/audit.py labels DATA     flipped labels: AUROC, recall in a list twice as long, calibration
python benchmarks/audit.py shift DATA      false alarms of random splits, and blur of sigma 2 at 200 images
python benchmarks/audit.py faults DATA     blurred, dark, bright and pale images: AUROC
python benchmarks/audit.py gain DATA       10 % wrong training labels: accuracy before and after the fixes
python benchmarks/audit.py gains DATA      the same by the head alone, in several draws
python benchmarks/audit.py scale DATA      100,000 images made of the features and records of DATA

DATA is a folder of labelled images; what is planted is written to a temporary folder.
"""

from __future__ import annotations

import argparse
import io
import resource
import shutil
import subprocess
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

import eyebright as eb
from eyebright.auditing.duplicates.copies import find_copies
from eyebright.auditing.duplicates.copy_findings import exact_groups, joined_groups
from eyebright.auditing.duplicates.medoids import medoid_groups
from eyebright.auditing.examine import examine
from eyebright.auditing.faults import find_faults
from eyebright.auditing.labels import CALLED_WRONG, find_label_errors
from eyebright.auditing.material import Material, PlantedCopies, collect, kept_records
from eyebright.auditing.measuring import RecordSpace
from eyebright.auditing.shift import SIGNIFICANT, compare_parts
from eyebright.backbones.embedded import EmbeddedBackbone
from eyebright.data.decode import open_rgb
from eyebright.data.fixes import read_fixes, write_fixes
from eyebright.data.manifest import Manifest, Sample
from eyebright.data.source import scan_as_given
from eyebright.evaluation.calibration import expected_calibration_error
from eyebright.evaluation.intervals import share_of
from eyebright.task.logits import softmax
from eyebright.training.cache.store import default_folder
from eyebright.training.linear_probe.folds import groups_of
from eyebright.training.linear_probe.head import fit_head

EACH = 60
SHIFTED = 200
SPLITS = 200
FLIPPED = 0.05
WRONG = 0.1
LARGE = 100_000


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def crop(image: Image.Image, random: np.random.Generator) -> Image.Image:
    width, height = round(0.9 * image.width), round(0.9 * image.height)
    left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
    return image.crop((int(left), int(top), int(left) + width, int(top) + height))


def resize(image: Image.Image, random: np.random.Generator) -> Image.Image:
    factor = 2 ** random.uniform(-1, 1)
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


#: Made otherwise than what the audit plants itself, with other parameters.
KINDS: Mapping[str, Callable[[Image.Image, np.random.Generator], Image.Image]] = {
    "resize": resize,
    "jpeg": lambda image, random: jpeg(image, int(random.integers(40, 96))),
    "crop": crop,
    "brightness": lambda image, random: ImageEnhance.Brightness(image).enhance(random.choice([0.65, 1.35])),
    "mirror": lambda image, _: ImageOps.mirror(image),
    "rotation": lambda image, random: image.rotate(int(random.choice([90, 270])), expand=True),
    "border": lambda image, random: ImageOps.expand(image, round(0.06 * min(image.size)), (32, 33, 36)),
}


def read(data: Path, size: int) -> tuple[Manifest, Material]:
    manifest, _ = scan_as_given(data)
    material, _ = collect(manifest, EmbeddedBackbone(), default_folder(), size=size, seed=0)
    return manifest, material


def copies(data: Path, size: int, seed: int) -> None:
    manifest, before = read(data, size)
    random = np.random.default_rng(7 + seed)
    drawn = iter(random.permutation(len(before.samples)))
    with tempfile.TemporaryDirectory() as folder:
        samples: list[Sample] = list(manifest.samples)
        origin: dict[str, tuple[str, str]] = {}
        for kind, make in KINDS.items():
            for _ in range(EACH):
                source = before.samples[next(drawn)]
                path = Path(folder) / f"{kind}-{Path(source.path).stem}-{len(samples)}.jpg"
                made = make(open_rgb(manifest.root / source.path), random)
                made.save(path, quality=92)
                origin[str(path)] = (kind, source.path)
                sha = _sha(path)
                copy = replace(source, path=str(path), sha=sha, content="")
                samples.append(replace(copy, width=made.width, height=made.height))
        larger = replace(manifest, samples=tuple(samples))
        after, _ = collect(larger, EmbeddedBackbone(), default_folder(), size=size, seed=0)
    known = _joint(before)
    pairs = find_copies(after)
    found: dict[str, set[str]] = defaultdict(set)
    right, wrong = 0, 0
    for group in medoid_groups(pairs.first, pairs.second, pairs.score):
        first, *others = [after.samples[place].path for place in group]
        for path in others:
            ends = [origin.get(one, ("", one)) for one in (first, path)]
            if not any(kind for kind, _ in ends):
                continue  # of the data's own copies nothing is known
            same = ends[0][1] == ends[1][1] or known.get(ends[0][1]) == known.get(ends[1][1], -1)
            right, wrong = right + int(same), wrong + int(not same)
            if same:
                for kind, source in ends:
                    found[kind].add(source)
    for kind in KINDS:
        print(f"  {kind:12} recall {_share(len(found[kind]), EACH)}")
    print(f"  precision {_share(right, right + wrong)}; match from {pairs.least_score:.2f}")
    own = sum(1 for a in pairs.first if after.samples[a].path not in origin)
    print(f"  told by the audit itself: {pairs.found.recall.value:.3f}; pairs of its own: {own}")


def _sha(path: Path) -> str:
    from eyebright.data.header import read_header

    return read_header(path).sha


def _joint(material: Material) -> dict[str, int]:
    """Return a number for each image that near and exact copies among the data itself share."""
    pairs = find_copies(material)
    joins = [*exact_groups(material.samples), *medoid_groups(pairs.first, pairs.second, pairs.score)]
    groups = joined_groups(np.arange(len(material.samples)), joins)
    return {sample.path: int(group) for sample, group in zip(material.samples, groups, strict=True)}


#: Run by the Python that has cleanlab; it is no dependency, only what the audit is compared with.
ORACLE = """
import sys
import numpy as np
from cleanlab.rank import get_label_quality_scores
given = np.load(sys.argv[1])
draws = zip(given["labels"], given["probabilities"], strict=True)
np.save(sys.argv[2], np.stack([get_label_quality_scores(*draw) for draw in draws]))
"""


def of_oracle(python: Path, given: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return (M, N) how wrong cleanlab takes labels to be in M draws, on the same probabilities."""
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder) / "given.npz", Path(folder) / "found.npy"
        np.savez(files[0], labels=given, probabilities=probabilities)
        subprocess.run([python, "-c", ORACLE, *files], check=True)
        return -np.asarray(np.load(files[1]))


def labels(data: Path, size: int, oracle: Path | None, draws: int) -> None:
    """Flip labels anew in several draws: a list of a small set is too short to tell how sure one may be."""
    manifest, material = read(data, size)
    truth = manifest.task.encode(material.samples, manifest.labels)
    groups, count = groups_of(material.samples), len(manifest.labels)
    listed: list[np.ndarray] = []
    drawn: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    figures: dict[str, list[float]] = defaultdict(list)
    for seed in range(1, draws + 1):
        random = np.random.default_rng(seed)
        flipped = random.permutation(len(truth))[: round(FLIPPED * len(truth))]
        wrong = np.zeros(len(truth))
        wrong[flipped] = 1
        given = truth.copy()
        given[flipped] = (truth[flipped] + random.integers(1, count, len(flipped))) % count
        found = find_label_errors(material.rows, given, count, groups, 0)
        order, called = np.argsort(-found.wrong)[: 2 * len(flipped)], found.wrong >= CALLED_WRONG
        listed.append(np.stack([found.wrong[order], wrong[order]]))
        figures["AUROC"].append(roc_auc_score(wrong, found.wrong))
        figures["recall in a list twice as long"].append(wrong[order].sum() / len(flipped))
        figures["calibration error"].append(expected_calibration_error(found.wrong, wrong, 10))
        figures["expected, of those flipped"].append(found.wrong.sum() / len(flipped))
        figures["precision of those called"].append(wrong[called].mean())
        drawn.append((given, softmax(found.logits, 1.0), wrong))
    if oracle is not None:
        others = of_oracle(oracle, *(np.stack([one[part] for one in drawn]) for part in range(2)))
        for other, (_, _, wrong) in zip(others, drawn, strict=True):
            recall = wrong[np.argsort(-other)[: 2 * len(flipped)]].sum() / len(flipped)
            figures["cleanlab, same probabilities: AUROC"].append(roc_auc_score(wrong, other))
            figures["cleanlab: recall"].append(recall)
    print(f"  {100 * FLIPPED:.0f} % flipped, {len(flipped)} labels in each of {draws} draws")
    for name, values in figures.items():
        print(f"  {name:36} {np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})", flush=True)
    probability, wrong = np.concatenate(listed, axis=1)
    random = np.random.default_rng(0)
    ideal = [
        expected_calibration_error(probability, (random.random(len(probability)) < probability) * 1.0, 10)
        for _ in range(200)
    ]
    error = expected_calibration_error(probability, wrong, 10)
    print(f"  calibration error of the lists {error:.3f}; by chance alone {np.mean(ideal):.3f}")
    found = find_label_errors(material.rows, truth, count, groups, 0)
    surely = int((found.wrong >= CALLED_WRONG).sum())
    print(f"  labels as they are: {found.wrong.sum():.0f} expected to be wrong, {surely} called", flush=True)


def shift(data: Path, size: int, seed: int) -> None:
    manifest, material = read(data, size)
    joint = _joint(material)
    _, first = np.unique([joint[s.path] for s in material.samples], return_index=True)
    samples = [material.samples[place] for place in first]
    strata = manifest.task.strata(manifest.task.encode(samples, manifest.labels))
    groups, rows = groups_of(samples), material.rows[first]
    alarms, random = 0, np.random.default_rng(3 + seed)
    for number in range(SPLITS):
        second = np.zeros(len(first), bool)
        second[random.permutation(len(first))[:SHIFTED]] = True
        found = compare_parts(rows, second, strata, groups, number)
        alarms += found is not None and found.p <= SIGNIFICANT
    print(f"  false alarms of random splits: {_share(alarms, SPLITS)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        blurred = []
        for number, sample in enumerate(
            samples[place] for place in random.permutation(len(samples))[:SHIFTED]
        ):
            path = Path(folder) / f"{number}.jpg"
            open_rgb(manifest.root / sample.path).filter(ImageFilter.GaussianBlur(2)).save(path, quality=95)
            blurred.append(replace(sample, path=str(path), sha=_sha(path), content=""))
        both = replace(manifest, samples=(*samples, *blurred))
        material, _ = collect(both, EmbeddedBackbone(), default_folder(), size=size, seed=0)
    strata = np.concatenate([strata, manifest.task.strata(manifest.task.encode(blurred, manifest.labels))])
    hits, trials = 0, 20
    for number in range(trials):
        places = np.concatenate([random.permutation(len(samples))[:800], len(samples) + np.arange(SHIFTED)])
        found = compare_parts(
            material.rows[places], places >= len(samples), strata[places], np.arange(len(places)), number
        )
        hits += found is not None and found.p <= SIGNIFICANT
    print(f"  power for blur of sigma 2 at {SHIFTED} images: {_share(hits, trials)}", flush=True)


def faults(data: Path, size: int, _: int) -> None:
    material = read(data, size)[1]
    for kind, planted in material.faults.items():
        found = find_faults(kind, material.records, planted)
        told = find_faults(kind, planted, planted).values
        truth = np.concatenate([np.zeros(len(found.values)), np.ones(len(told))])
        area = roc_auc_score(truth, np.concatenate([found.values, told]))
        called = int((found.probability >= 0.8).sum())
        print(
            f"  {kind:13} AUROC {area:.3f}, recall {found.found.recall.value:.3f}, called {called}",
            flush=True,
        )


def gain(data: Path, size: int, seed: int) -> None:
    """Half of the images train, with wrong labels; the other half, with its own labels, evaluates."""
    manifest, _ = scan_as_given(data)
    random = np.random.default_rng(11 + seed)
    order = random.permutation(len(manifest.samples))
    ends = {"train": len(order) // 2, "val": round(0.6 * len(order)), "test": len(order)}
    wrong = set(order[: round(WRONG * ends["train"])].tolist())
    with tempfile.TemporaryDirectory() as name:
        folder, begin = Path(name), 0
        for part, end in ends.items():
            for place in order[begin:end].tolist():
                sample = manifest.samples[place]
                others = [label for label in manifest.labels if label != sample.label]
                label = str(random.choice(others)) if place in wrong else sample.label
                path = folder / "data" / part / label / f"{place}{Path(sample.path).suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(manifest.root / sample.path, path)
            begin = end
        audit = eb.audit(folder / "data", out=folder / "audit", size=size, progress=False)
        fixes = [fix for fix in read_fixes(audit.fixes).rows if fix.action == "relabel"]
        fixes = [fix for fix in fixes if fix.image.startswith("train/")]
        found = sum(int(Path(fix.image).stem) in wrong for fix in fixes)
        write_fixes(folder / "fixes.csv", fixes)
        for out, some in (("before", None), ("after", folder / "fixes.csv")):
            eb.train(
                folder / "data", out=folder / out, fixes=some, size=size, layers="stages", progress=False
            )
        compared = eb.compare([folder / "before", folder / "after"], out=folder / "compare", progress=False)
        (difference,) = compared.content.differences
    print(f"  {len(wrong)} wrong labels, {len(fixes)} fixes, {found} of them of wrong labels")
    before, after = (run.accuracy.value for run in compared.content.runs)
    change, loss = difference.accuracy, difference.log_loss
    words = f"{before:.4f} -> {after:.4f}, {change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})"
    print(f"  accuracy {words}, p {difference.accuracy_p:.2g}")
    print(
        f"  log loss {loss.value:+.3f} ({loss.low:+.3f} to {loss.high:+.3f}), p {difference.log_loss_p:.2g}"
    )


def gains(data: Path, size: int, draws: int) -> None:
    """As :func:`gain`, by the head alone on the audit's features, so that many draws take seconds."""
    manifest, material = read(data, size)
    truth = manifest.task.encode(material.samples, manifest.labels)
    groups, count = groups_of(material.samples), len(manifest.labels)
    changes, tails = [], []
    for seed in range(draws):
        random = np.random.default_rng(11 + seed)
        train, test = np.array_split(random.permutation(len(truth)), 2)
        wrong = train[: round(WRONG * len(train))]
        given = truth.copy()
        given[wrong] = (truth[wrong] + random.integers(1, count, len(wrong))) % count
        rows = material.rows[train]
        found = find_label_errors(rows, given[train], count, groups[train], 0)
        fixed = np.where(found.wrong >= CALLED_WRONG, found.suggested, given[train])
        right = []
        for labels_ in (given[train], fixed):
            head = fit_head(rows, labels_, count, groups=groups[train], standardised=True).head
            right.append(head.logits(material.rows[test]).argmax(axis=1) == truth[test])
        gained, lost = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
        changes.append((right[0].mean(), right[1].mean()))
        tails.append(binomtest(gained, gained + lost).pvalue if gained + lost else 1.0)
        before, after = changes[-1]
        print(f"  {before:.4f} -> {after:.4f}, {gained} gained, {lost} lost, p {tails[-1]:.2g}", flush=True)
    before, after = np.mean(changes, axis=0)
    low = sum(tail < 0.05 for tail in tails)
    print(f"  mean {before:.4f} -> {after:.4f}; p below 0.05 in {low} of {draws} draws")


def scale(data: Path, size: int, images: int) -> None:
    manifest, small = read(data, size)
    random = np.random.default_rng(5)
    count = len(small.samples)
    # Images that are like the real ones and no copies: features of two mixed, pictures of two mixed.
    first, second = random.integers(0, count, (2, images))
    share = random.uniform(0.6, 0.9, images).astype(np.float32)
    rows = small.rows[first] * share[:, None] + small.rows[second] * (1 - share[:, None])
    rows *= np.float32(1 / np.sqrt(0.63))
    samples = [
        replace(small.samples[place], path=str(number), sha=f"{number:032x}", content="")
        for number, place in enumerate(first)
    ]
    sources = small.planted["crop"].sources
    places = random.permutation(images)[: len(sources)]
    rows[places] = small.rows[sources]
    with tempfile.TemporaryDirectory() as folder:
        space = RecordSpace(Path(folder))
        for start in range(0, images, 4096):
            part = np.arange(start, min(start + 4096, images))
            records, others = small.whole_records(first[part]), small.whole_records(second[part])
            for name in ("print", "inside"):
                records[name] = records[name] // 2 + others[name][:, ::-1] // 2
            mine = np.isin(places, part)
            records[places[mine] - start] = small.whole_records(sources[mine])
            for place, record in zip(part, records, strict=True):
                space.add(samples[place].key, record)
            space.flush()
        planted = {k: PlantedCopies(places, some.rows, some.records) for k, some in small.planted.items()}
        kept, whole = kept_records(space, samples)
        material = Material(samples, rows, kept, whole, [""] * images, planted, small.faults)
        seconds, processor = time.perf_counter(), time.process_time()
        found = examine(material, manifest.task, manifest.labels, [], parts=True, seed=0)
        seconds, processor = time.perf_counter() - seconds, time.process_time() - processor
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    near = found.planted["near_duplicate"].recall.value
    print(f"  {images} images: {seconds:.0f} s, processor {processor:.0f} s, {memory:.2f} GB at most")
    errors = found.planted["label_error"].recall.value
    print(f"  recall of planted copies {near:.3f}, of wrong labels {errors:.3f}")


def _share(hits: int, count: int) -> str:
    share = share_of(hits, count)
    return f"{share.value:.3f} ({share.low:.3f} to {share.high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("copies", "labels", "shift", "faults", "gain", "gains", "scale"))
    parser.add_argument("data", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--seed", type=int, default=0, help="copies, shift, gain: another one draws anew")
    parser.add_argument("--images", type=int, default=LARGE, help="scale: how many")
    parser.add_argument("--draws", type=int, default=5, help="labels, gains: how often labels are changed")
    parser.add_argument("--oracle", type=Path, help="labels: a Python that has cleanlab, to compare with")
    args = parser.parse_args()
    print(f"{args.what} {args.data.name}", flush=True)
    measured = {"copies": copies, "shift": shift, "faults": faults, "gain": gain}
    if args.what == "labels":
        labels(args.data, args.size, args.oracle, args.draws)
    elif args.what == "gains":
        gains(args.data, args.size, args.draws)
    elif args.what == "scale":
        scale(args.data, args.size, args.images)
    else:
        measured[args.what](args.data, args.size, args.seed)


if __name__ == "__main__":
    main()
