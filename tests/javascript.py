"""Runs the explorer's JavaScript modules: in node where there is one, else in Chromium."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from explorer.components.scripts import bundle
from tests.browser import CHROMIUM, FLAGS


def call(entry: str, body: str, value: Any) -> Any:
    """What the function body ``body`` returns for ``value``, with the names that the module ``entry`` defines."""
    module = f"{bundle(entry)}\nexport const main = value => {{ {body} }}\n"
    if shutil.which("node"):
        read = 'import {readFileSync} from "node:fs"\n'
        write = "process.stdout.write(JSON.stringify(main(JSON.parse(readFileSync(0, 'utf8')))))\n"
        command = ["node", "--input-type=module", "--eval", read + module + write]
        done = subprocess.run(command, input=json.dumps(value), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    if not Path(CHROMIUM).exists():
        pytest.skip(f"neither node nor Chromium ({CHROMIUM}) is there to run JavaScript")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        run = """async ([source, value]) => {
            const url = URL.createObjectURL(new Blob([source], {type: "text/javascript"}))
            return (await import(url)).main(value)
        }"""
        found = browser.new_page().evaluate(run, [module, value])
        browser.close()
    return found
