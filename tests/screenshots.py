"""Pictures of every part of the page, light and dark, as small PNG files for the README.

    python -m tests.screenshots --workspace ~/.rankaae-explorer --out docs/screenshots

Parts are taken as the page has them; a file is <part>-light.png or <part>-dark.png, 1280 pixels wide and of 64 colours.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from tests.browser import CHROMIUM, FLAGS, launch

SIZE = {"width": 1280, "height": 720}
COLOURS = (64, 32, 16)
MOST_BYTES = 80_000
SETTLED_MS = 2000
DRAWN = """() => {
  const every = root => [...root.querySelectorAll("*")].flatMap(e => [e, ...(e.shadowRoot ? every(e.shadowRoot) : [])])
  const seen = every(document).filter(e => e.clientWidth)
  const parts = seen.filter(e => e.matches(".bk-Figure, .player, .MuiInputBase-root"))
  return parts.length > 3 && !seen.some(e => e.matches(".pn-loading, .MuiLinearProgress-indeterminate"))
}"""
"""There is more than the header, and nothing is being worked out."""


def small_png(picture: bytes) -> bytes:
    """A picture with a palette that keeps it below the limit."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    for colours in COLOURS:
        made = io.BytesIO()
        image.quantize(colours, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
        if made.tell() <= MOST_BYTES:
            break
    return made.getvalue()


def photograph(page: Any, out: Path, theme: str, settled_ms: int) -> None:
    """One picture of each part of the page that is open."""
    for name in [tab.text_content() for tab in page.get_by_role("tab").all()]:
        page.get_by_role("tab", name=name, exact=True).click()
        for _ in range(3):
            page.wait_for_timeout(settled_ms)
            page.wait_for_function(DRAWN, timeout=180_000)
        page.mouse.move(640, 700)
        target = out / f"{name.lower().replace(' ', '-')}-{theme}.png"
        target.write_bytes(small_png(page.screenshot()))
        print(f"{target}: {target.stat().st_size / 1000:.0f} kB", flush=True)


def main() -> None:
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workspace", type=Path, required=True, help="workspace of the explorer, with a trained model")
    parser.add_argument("--data", type=Path, help="folder of embedded sets and models")
    parser.add_argument("--out", type=Path, default=Path("docs/screenshots"))
    parser.add_argument("--query", default="", help="view to open, such as '?set=cu&run=five', from Share")
    parser.add_argument("--settled-ms", type=int, default=SETTLED_MS, help="time given to each part to be drawn")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = launch(Path(folder), arguments.workspace.expanduser().resolve(), data=arguments.data)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        try:
            for theme in ("light", "dark"):
                page = browser.new_page(viewport=SIZE)
                page.set_default_timeout(120_000)
                page.add_init_script("localStorage.setItem('rankaae-tour', 'taken')")
                page.goto(server.url + arguments.query)
                page.get_by_role("tab").first.wait_for()
                if theme == "dark":
                    page.get_by_label("Toggle theme").click()
                photograph(page, arguments.out, theme, arguments.settled_ms)
                page.close()
        finally:
            browser.close()
            server.stop()


if __name__ == "__main__":
    main()
