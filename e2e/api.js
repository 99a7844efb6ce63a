// The HTTP API as any program would use it.
import { request } from "node:http";

/** An answer of the core. */
export class Answer {
  constructor(response, text) {
    this.status = response.status;
    this.headers = response.headers;
    this.text = text;
  }

  get type() {
    return this.headers.get("content-type") ?? "";
  }

  /** json is the body, read as JSON. */
  get json() {
    return JSON.parse(this.text);
  }

  /** toString says in a failure what was answered. */
  toString() {
    return `${this.status} ${this.text.slice(0, 600)}`;
  }
}

/** Api asks one core with one credential, or with none. */
export class Api {
  constructor(url, credential = {}) {
    this.url = url;
    this.credential = typeof credential === "string" ? { Authorization: `Bearer ${credential}` } : credential;
  }

  /** as is the same core, asked with another credential. */
  as(credential) {
    return new Api(this.url, credential);
  }

  async ask(method, path, body, headers = {}) {
    const json = body !== undefined && typeof body !== "string" && !(body instanceof Uint8Array);
    const response = await fetch(this.url + path, {
      method,
      redirect: "manual",
      headers: { Accept: "application/json", ...this.credential, ...(json && { "Content-Type": "application/json" }), ...headers },
      body: json ? JSON.stringify(body) : body,
      signal: AbortSignal.timeout(15_000),
    });
    return new Answer(response, await response.text());
  }

  get(path, headers) {
    return this.ask("GET", path, undefined, headers);
  }

  post(path, body = {}, headers) {
    return this.ask("POST", path, body, headers);
  }

  put(path, body, headers) {
    return this.ask("PUT", path, body, headers);
  }

  patch(path, body, headers) {
    return this.ask("PATCH", path, body, headers);
  }

  delete(path, headers) {
    return this.ask("DELETE", path, undefined, headers);
  }

  /** word asks for a path word for word; fetch would put it right first. */
  word(path, method = "GET") {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(this.url);
      const asked = request({ hostname, port, method, path, headers: { Accept: "application/json", ...this.credential } }, async (response) => {
        let text = "";
        for await (const chunk of response) text += chunk;
        resolve(new Answer({ status: response.statusCode, headers: new Headers(response.headers) }, text));
      });
      asked.on("error", reject).end();
    });
  }

  /**
   * audit returns records newest first.
   * @param {Record<string, string>} filter as GET /admin/audit takes it
   */
  async audit(filter) {
    const answer = await this.get(`/admin/audit?${new URLSearchParams({ limit: "500", ...filter })}`);
    if (answer.status !== 200) throw new Error(`the audit answered ${answer}`);
    return answer.json.items;
  }
}
