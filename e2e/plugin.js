// A plugin that knows nothing but the HTTP contract: what anybody could write
// against it in an afternoon.
import { createServer } from "node:http";
import { Api } from "./api.js";

/** manifest returns the least a service must declare, with more of it in rest. */
export function manifest(id, rest = {}) {
  return {
    id,
    name: id,
    version: "1.0.0",
    description: "Written by a test against the published contract.",
    publisher: "e2e",
    license: "Apache-2.0",
    category: "communication",
    contracts: [],
    traits: ["handles_internal"],
    security: { authentication_required: true, data_classification: ["internal"] },
    ...rest,
  };
}

/** Plugin is registered with a core and holds its token. */
export class Plugin {
  constructor(id, registration, api, server) {
    this.id = id;
    this.registration = registration;
    this.api = api;
    this.server = server;
  }

  /**
   * register starts what answers the plugin's endpoints, if any, and registers.
   * @param {string} url of the core
   * @param {ReturnType<typeof manifest>} declared
   * @param {(request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => void} [answer]
   */
  static async register(url, declared, answer) {
    let server;
    if (answer) {
      server = createServer(answer);
      await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
      declared = { ...declared, runtime: { ...declared.runtime, base_url: `http://127.0.0.1:${server.address().port}` } };
    }
    const got = await new Api(url).post("/plugins/register", declared);
    if (got.status !== 200) {
      server?.close();
      throw new Error(`${declared.id} was not registered: ${got}`);
    }
    return new Plugin(declared.id, got.json, new Api(url, got.json.token), server);
  }

  /**
   * listen opens the event stream. Each event is what arrived, word for word in
   * raw. When the core ends the stream, so does the iteration.
   */
  async *listen(types, signal) {
    const response = await fetch(`${this.api.url}/messaging/events/stream?types=${encodeURIComponent(types)}`, {
      headers: { ...this.api.credential, Accept: "text/event-stream" },
      signal,
    });
    if (response.status !== 200) throw new Error(`the stream was answered ${response.status} ${await response.text()}`);
    let rest = "";
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      const messages = (rest + chunk).split("\n\n");
      rest = messages.pop();
      for (const raw of messages) {
        const field = (name) => raw.match(new RegExp(`^${name}: (.*)$`, "m"))?.[1];
        if (field("data")) yield { id: field("id"), type: field("event"), data: JSON.parse(field("data")), raw };
      }
    }
  }

  close() {
    this.server?.closeAllConnections();
    this.server?.close();
  }
}
