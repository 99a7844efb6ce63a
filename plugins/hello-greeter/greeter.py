"""A sample plugin that greets: it hears greeting.requested, asks the publisher for
the profile (operator lane), fetches the words from a web page (proxy lane), and
publishes greeting.sent.

What policy denies it gives up on and says why; what merely failed it lets the core
deliver again."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from page import words
from vivified import Event, Plugin, Problem, VivifiedError

SITE = os.environ.get("VIVIFIED_HELLO_SITE") or "https://pages.hello.test"

plugin = Plugin(Path(__file__).with_name("manifest.json"))


@plugin.on_event("greeting.requested")
async def greet(event: Event) -> None:
    request = event.data
    try:
        profile = (await plugin.call_plugin("hello-publisher", "get_profile", {"id": request.profile_id})).json()
        page = await plugin.call_external(f"{SITE}/hello/{quote(profile['language'], safe='')}")
        if page.status != 200:
            raise VivifiedError(f"the page was answered with {page.status}")
        greeting = {"greeting_id": request.greeting_id, "language": profile["language"], "words": words(page.text), "name": profile["name"]}
        # One id for each greeting, so that an event that comes twice is answered once.
        await plugin.publish_event("greeting.sent", greeting, id=f"sent-{request.greeting_id}")
    except Problem as refusal:
        if refusal.status != 403:
            raise
        plugin.logger.warning("greeting %s not sent: %s", request.greeting_id, refusal)
    else:
        plugin.logger.info("greeting %s sent in %s", request.greeting_id, profile["language"])


if __name__ == "__main__":
    plugin.run()
