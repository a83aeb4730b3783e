"""Headless Chromium under remote control, through the DevTools protocol on a pipe."""

import json
import os
import select
import subprocess
import time

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless", "--remote-debugging-pipe", "--disable-gpu", "--no-first-run")
SECONDS = 30


class Page:
    """One page of a browser under remote control."""

    def __init__(self, browser, profile):
        commands, self._commands = os.pipe()
        self._answers, answers = os.pipe()
        sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
        # The browser reads from descriptor 3 and writes to 4.
        self._process = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{commands} 4>&{answers}',
                "bash",
                browser,
                *OPTIONS,
                *sandbox,
                f"--user-data-dir={profile}",
                "about:blank",
            ],
            pass_fds=(commands, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._received, self._calls, self._session = b"", 0, {}
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        os.close(self._commands)
        self._process.terminate()
        self._process.wait(SECONDS)
        os.close(self._answers)

    def call(self, method, **params):
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": params, **self._session}
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while (answer := self._receive()).get("id") != self._calls:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _receive(self):
        while b"\0" not in self._received:
            ready, _, _ = select.select([self._answers], [], [], SECONDS)
            assert ready, "the browser does not answer"
            self._received += os.read(self._answers, 1 << 20)
        message, self._received = self._received.split(b"\0", 1)
        return json.loads(message)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete'")

    def resize(self, width):
        """Set the width of the window in CSS pixels."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    def run(self, script):
        """Return the value of an expression; promises are awaited."""
        options = {"returnByValue": True, "awaitPromise": True}
        result = self.call("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, condition):
        deadline = time.monotonic() + SECONDS
        while not self.run(condition):
            assert time.monotonic() < deadline, condition
            time.sleep(0.02)

    def press(self, key, text=""):
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, text=text)

    def choose(self, selector, value):
        """Choose an option of a select, with the event that a click causes."""
        self.run(
            f"(() => {{ const box = document.querySelector({selector!r}); box.value = {value!r};"
            "box.dispatchEvent(new Event('change', { bubbles: true })); })()"
        )

    def overflowing(self):
        """Return the tables that are wider than their place."""
        return self.run(
            "[...document.querySelectorAll('.scroll')]"
            ".filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.textContent)"
        )


def save_figure(page, name, kind, folder):
    """Click the button that saves a figure, and return what the browser has saved."""
    page.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    page.run(f"document.querySelector('[data-name={name}] [data-save={kind}]').click()")
    path, deadline = folder / f"{name}.{kind}", time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} was not saved"
        time.sleep(0.05)
    return path.read_bytes()
