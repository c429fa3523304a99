"""The names that `import eyebright` offers; `__init__.py` loads each when it is first used."""

from .api import (
    OwnBackbone as OwnBackbone,
)
from .api import (
    audit as audit,
)
from .api import (
    benchmark as benchmark,
)
from .api import (
    compare as compare,
)
from .api import (
    convert as convert,
)
from .api import (
    demo as demo,
)
from .api import (
    distill as distill,
)
from .api import (
    doctor as doctor,
)
from .api import (
    embed as embed,
)
from .api import (
    evaluate as evaluate,
)
from .api import (
    explain as explain,
)
from .api import (
    export as export,
)
from .api import (
    inspect as inspect,
)
from .api import (
    list_runs as list_runs,
)
from .api import (
    load as load,
)
from .api import (
    models as models,
)
from .api import (
    monitor as monitor,
)
from .api import (
    predict as predict,
)
from .api import (
    pretrain as pretrain,
)
from .api import (
    prune as prune,
)
from .api import (
    pull as pull,
)
from .api import (
    push as push,
)
from .api import (
    serve as serve,
)
from .api import (
    shrink as shrink,
)
from .api import (
    spark_predictor as spark_predictor,
)
from .api import (
    studio as studio,
)
from .api import (
    suggest as suggest,
)
from .api import (
    train as train,
)
from .api import (
    tune as tune,
)
from .api import (
    update as update,
)
from .api import (
    zero_shot as zero_shot,
)
from .api.classifier import EyebrightClassifier as EyebrightClassifier
from .runtime.context import showing as showing
from .version import __version__ as __version__
