"""Where releases serve, and how they are told to."""

from abc import ABC, abstractmethod

from clm.formats.routes import Routes
from clm.settings import Settings


class Target(ABC):
    """One per installation. What it is told is the whole wish, not a step: who serves every model, with which share,
    and which releases are kept warm (`clm.formats.routes`). So preparing a release, moving its weight and rolling it
    back are all the same call, it may be repeated at any time, and the newest wish is all that counts.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def apply(self, routes: Routes) -> None:
        """Makes this serve, and returns when every later request is answered so. A release that is not warm yet may
        become so after that. Called after the commit that changed it, and again and again by a duty."""

    @abstractmethod
    def applied(self) -> int | None:
        """The revision of the routes that are served now, asked where they are served; None: none yet."""
