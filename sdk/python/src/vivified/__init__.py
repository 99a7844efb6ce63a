"""Be a Vivified plugin: register with the core, publish and receive events, call
other plugins and the outside world through it, and answer its calls.

It refuses every incoming call that the core did not sign for this plugin, this
method and this path within the last seconds. It never talks to another plugin or
to the outside directly, and it never logs tokens or payloads.
"""

from .config import Config
from .errors import ManifestError, Problem, Rejection, Unreachable, Violation, VivifiedError
from .event import Data, Event
from .lanes import Answer, ExternalAnswer, Settings
from .plugin import Plugin
from .request import Caller, Request, Response
from .trace import trace_id

__all__ = [
    "Answer",
    "Caller",
    "Config",
    "Data",
    "Event",
    "ExternalAnswer",
    "ManifestError",
    "Plugin",
    "Problem",
    "Rejection",
    "Request",
    "Response",
    "Settings",
    "Unreachable",
    "Violation",
    "VivifiedError",
    "trace_id",
]
