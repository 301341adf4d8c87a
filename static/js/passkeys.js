/* Passkeys: <form data-passkey="get" or "create"> asks the browser for a passkey before it is submitted. The
   options are in data-options, or fetched by POST from the URL in data-challenge. */

"use strict";

(() => {
  const toBytes = (text) =>
    Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (sign) => sign.charCodeAt(0));
  const toText = (bytes) =>
    btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const readIds = (list) => (list || []).map((each) => ({ ...each, id: toBytes(each.id) }));

  const readOptions = (options) => ({
    ...options,
    challenge: toBytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: toBytes(options.user.id) } }),
    allowCredentials: readIds(options.allowCredentials),
    excludeCredentials: readIds(options.excludeCredentials),
  });

  const writeCredential = (credential) => {
    const response = {};
    for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (credential.response[name]) response[name] = toText(credential.response[name]);
    }
    if (credential.response.getTransports) response.transports = credential.response.getTransports();
    return JSON.stringify({
      id: credential.id,
      rawId: toText(credential.rawId),
      type: credential.type,
      response,
      clientExtensionResults: credential.getClientExtensionResults(),
      ...(credential.authenticatorAttachment && { authenticatorAttachment: credential.authenticatorAttachment }),
    });
  };

  const fetchOptions = async (form) => {
    const body = new URLSearchParams({ csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
    const answer = await fetch(form.dataset.challenge, { method: "POST", body });
    if (!answer.ok) throw new Error(answer.status);
    return answer.json();
  };

  const ask = async (form) => {
    const found = form.dataset.options ? JSON.parse(form.dataset.options) : await fetchOptions(form);
    const publicKey = readOptions(found.publicKey);
    if (form.dataset.passkey === "get") return navigator.credentials.get({ publicKey });
    const isAlone = form.elements.passwordless.checked;
    // A passkey for passwordless sign-in must be discoverable and verify the user.
    publicKey.authenticatorSelection = {
      ...publicKey.authenticatorSelection,
      residentKey: isAlone ? "required" : "discouraged",
      requireResidentKey: isAlone,
      ...(isAlone && { userVerification: "required" }),
    };
    return navigator.credentials.create({ publicKey });
  };

  for (const form of document.querySelectorAll("form[data-passkey]")) {
    const trouble = form.querySelector("[data-passkey-trouble]");
    const button = form.querySelector("button");
    const say = (text) => {
      trouble.textContent = text;
      trouble.hidden = !text;
    };
    if (button.type === "button") button.addEventListener("click", () => form.requestSubmit());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      say("");
      if (!window.PublicKeyCredential) return say(trouble.dataset.unusable);
      button.disabled = true;
      try {
        form.elements.credential.value = writeCredential(await ask(form));
        form.submit();
      } catch (error) {
        button.disabled = false;
        const isHere = error instanceof DOMException;
        say(error.name === "SecurityError" ? trouble.dataset.unusable : isHere ? trouble.dataset.refused : trouble.dataset.failed);
      }
    });
  }
})();
