// Passkeys: a form with data-passkey (ask one), data-passkey-ask (the address to
// fetch what to ask) or data-passkey-make (make one) is sent once the browser's
// answer stands in its field "credential".
(() => {
  "use strict";
  const known = () => !!window.PublicKeyCredential?.parseRequestOptionsFromJSON;

  const trouble = (form, on) => {
    const line = form.querySelector("[data-passkey-trouble]");
    if (!line) return;
    line.hidden = !on;
    line.querySelector("[data-none]").hidden = known();
    line.querySelector("[data-not]").hidden = !known();
  };

  const answer = async (form) => {
    const { passkey, passkeyAsk, passkeyMake } = form.dataset;
    if (!known()) throw new Error("no passkeys");
    if (passkeyMake) {
      return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(JSON.parse(passkeyMake)) });
    }
    let asked = passkey;
    if (passkeyAsk) {
      const reply = await fetch(passkeyAsk, { method: "POST", credentials: "same-origin" });
      if (!reply.ok) throw new Error("no challenge");
      asked = await reply.text();
    }
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(asked)) });
  };

  // Capturing: htmx must not send what is not complete yet.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (!form.matches("[data-passkey], [data-passkey-ask], [data-passkey-make]")) return;
    const field = form.elements.credential;
    if (field.value !== "") return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const button = event.submitter;
    if (button?.getAttribute("aria-busy")) return;
    button?.setAttribute("aria-busy", "true");
    trouble(form, false);
    try {
      field.value = JSON.stringify(await answer(form));
      form.requestSubmit(button);
    } catch {
      trouble(form, true);
    } finally {
      button?.removeAttribute("aria-busy");
    }
  }, true);

  // An answer is good for one question.
  addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form[data-passkey-ask] [name=credential]")) field.value = "";
  });
})();
