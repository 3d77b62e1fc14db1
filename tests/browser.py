"""A report as a person sees it: opened in a headless Chromium, every category and every entry clicked."""

import json
import shutil
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue

import pytest

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
]

# Runs before any script of the page, so that none of its errors is missed.
WATCH = """<script>
window.faults = [];
addEventListener("error", event => faults.push(event.message || "cannot load " + event.target.src), true);
addEventListener("unhandledrejection", event => faults.push(String(event.reason)));
console.error = (...parts) => faults.push(parts.join(" "));
</script>"""

VISIT = """<script>
const pause = () => new Promise(done => setTimeout(done, 30));
const links = (where, text) => [...document.querySelectorAll(where + " a")].filter(a => a.innerText.trim() === text);
async function shown() {
    const image = document.querySelector("#app img[src^='data:image/png']");
    if (image && image.closest("nav") === null) {
        await image.decode();
        return {kind: "image", width: image.naturalWidth};
    }
    const frame = document.querySelector("#app iframe");
    return {kind: frame ? "page" : "nothing"};
}
async function visit() {
    const seen = [];
    const categories_ = Object.keys(categories);
    for (const category of categories_) {
        document.querySelector("nav ol a").click();
        await pause();
        links("nav ul", category)[0].click();
        await pause();
        for (const row of document.querySelectorAll("nav tbody tr")) {
            const button = row.querySelector("td:last-child a");
            if (button.hasAttribute("download")) continue;  // nothing to show
            button.click();
            await pause();
            seen.push({category, labels: [...row.querySelectorAll("td")].map(td => td.innerText), ...await shown()});
        }
    }
    for (const text of ["Workflow", "Statistics", "About"]) {
        document.querySelector("nav ol a").click();
        await pause();
        links("nav ul", text)[0].click();
        await pause();
    }
    const pictures = {};
    for (const [path, result] of Object.entries(results)) {
        if (result.mime_type === "image/png") {
            const image = new Image();
            image.src = result.data_uri;
            await image.decode();
            pictures[path] = image.naturalWidth;
        }
    }
    const entries = Object.entries(results).map(([path, one]) => ({path, labels: one.labels, caption: one.caption}));
    return {seen, pictures, entries};
}
addEventListener("load", () => setTimeout(async () => {
    let found = {};
    try { found = await visit(); } catch (error) { faults.push("visit: " + error.stack); }
    fetch("/seen", {method: "POST", body: JSON.stringify({...found, faults})});
}, 500));
</script>"""


@contextmanager
def _served(page):
    """(address, queue of what the page posts)."""
    posted = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            if self.path == "/":
                self.wfile.write(page)

        def do_POST(self):
            posted.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", posted
    finally:
        server.shutdown()
        server.server_close()


def visit_report(report, profile):
    """What a browser shows of a report.html, after every entry was clicked.

    profile: a folder for the browser's files. Returns `faults` (errors on the console), `seen` (category, labels, kind,
    width of what each click brought up), `pictures` (width of each by path) and `entries` (path, labels, caption).
    Skips the test where there is no Chromium.
    """
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("needs a Chromium (Debian's package chromium)")
    page = report.read_text(encoding="utf-8").replace("<head>", "<head>" + WATCH, 1)
    head, end, tail = page.rpartition("</body>")
    with _served((head + VISIT + end + tail).encode()) as (address, posted):
        process = subprocess.Popen(
            [browser, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0", address],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        errors = []
        threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True).start()
        try:
            return posted.get(timeout=240)
        except Empty:
            pytest.fail("the browser has not gone through the report: " + "".join(errors[-20:]))
        finally:
            process.terminate()
            process.wait(30)
