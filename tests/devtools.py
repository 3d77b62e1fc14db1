"""A headless Chromium that a test drives through its DevTools pipe: a page from the disk, as a person opens it."""

import base64
import json
import os
import shutil
import subprocess
from contextlib import contextmanager

import pytest

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars", "--mute-audio"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    *("--autoplay-policy=no-user-gesture-required", "--remote-debugging-pipe"),
]


class Page:
    """One tab. faults: errors on its console. requests: addresses that it asked for, data: URLs aside."""

    def __init__(self, to_browser, from_browser):
        self._to, self._from = to_browser, from_browser
        self._number, self._session, self._waiting = 0, None, b""
        self.faults, self.requests = [], []
        target = self._send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._send(f"{domain}.enable")

    def _send(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _receive(self):
        while b"\0" not in self._waiting:
            read = os.read(self._from, 1 << 20)
            assert read, "the browser has ended"
            self._waiting += read
        line, self._waiting = self._waiting.split(b"\0", 1)
        message = json.loads(line)
        values = message.get("params", {})
        match message.get("method"):
            case "Runtime.exceptionThrown":
                self.faults.append(str(values["exceptionDetails"].get("exception", values)))
            case "Runtime.consoleAPICalled" if values["type"] in ("error", "warning"):
                self.faults.append(" ".join(str(part.get("value", part)) for part in values["args"]))
            case "Log.entryAdded" if values["entry"]["level"] in ("error", "warning"):
                self.faults.append(values["entry"]["text"])
            case "Network.requestWillBeSent" if not values["request"]["url"].startswith("data:"):
                self.requests.append(values["request"]["url"])
        return message

    def open(self, address):
        """Load a page, and wait until it is there."""
        self._send("Page.navigate", url=address)
        self.do("new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', done))")

    def do(self, script):
        """The value of an expression in the page; a promise's where it is one."""
        wrapped = f"(async () => ({script}))()"
        result = self._send("Runtime.evaluate", expression=wrapped, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def show(self, view):
        """Go to a view, and wait until it is drawn."""
        self.do(f"location.hash = {json.dumps(view)}")
        self.do("new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 100))")

    def look(self, width=1280, height=900, *, dark=False, media=""):
        """Set the window's size, the colour scheme and the medium."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self._send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._send("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def picture(self, path, *, whole=True):
        """Write what the tab shows as png."""
        shot = self._send("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def opened_browser(profile):
    """A tab of a browser that keeps its files in `profile`. Skips the test where there is no Chromium."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("needs a Chromium (Debian's package chromium)")
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    process = subprocess.Popen(
        ["bash", "-c", f'exec "$@" 3<&{commands} 4>&{answers}', "bash", browser, *FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(commands, answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands)
    os.close(answers)
    try:
        yield Page(to_browser, from_browser)
    finally:
        process.terminate()
        process.wait(30)
        os.close(to_browser)
        os.close(from_browser)
