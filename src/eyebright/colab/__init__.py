"""Work in notebooks whose machine may vanish, as in Google Colab: work is local, few files go to Drive.

`workspace` restores what an earlier machine had finished or begun and copies to Drive what this one makes;
`check_install` tells whether a restart is needed; `show_studio` puts the studio into a cell.
"""

from eyebright.colab.download import download as download
from eyebright.colab.installed import InstalledPackages as InstalledPackages
from eyebright.colab.installed import check_install as check_install
from eyebright.colab.material import backbone_or_embedded as backbone_or_embedded
from eyebright.colab.material import demo_photos as demo_photos
from eyebright.colab.studio_frame import NotebookStudio as NotebookStudio
from eyebright.colab.studio_frame import show_studio as show_studio
from eyebright.colab.workspaces import Workspace as Workspace
from eyebright.colab.workspaces import workspace as workspace
