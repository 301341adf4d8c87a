/* Passkeys: <form data-passkey="get" or "create"> asks the browser for a passkey before it is submitted. The options
   are in data-options, or fetched by POST from the URL in data-challenge. */

const fetchOptions = async (form) => {
  const body = new URLSearchParams({ csrfmiddlewaretoken: form.elements.csrfmiddlewaretoken.value });
  const response = await fetch(form.dataset.challenge, { method: "POST", body });
  if (!response.ok) throw new Error(response.status);
  return response.json();
};

const requestPasskey = async (form) => {
  const { publicKey } = form.dataset.options ? JSON.parse(form.dataset.options) : await fetchOptions(form);
  if (form.dataset.passkey === "get") {
    return navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
  }
  const isPasswordless = form.elements.passwordless.checked;
  // A passkey for passwordless sign-in must be discoverable and verify the user.
  publicKey.authenticatorSelection = {
    ...publicKey.authenticatorSelection,
    residentKey: isPasswordless ? "required" : "discouraged",
    requireResidentKey: isPasswordless,
    ...(isPasswordless && { userVerification: "required" }),
  };
  return navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) });
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const notice = form.querySelector("[data-passkey-error]");
  const { unusable, refused, failed } = notice.dataset;
  const button = form.querySelector("button");
  const showError = (text) => {
    notice.textContent = text;
    notice.hidden = !text;
  };
  if (button.type === "button") button.addEventListener("click", () => form.requestSubmit());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    showError("");
    if (!window.PublicKeyCredential?.parseRequestOptionsFromJSON) return showError(unusable);
    button.disabled = true;
    try {
      form.elements.credential.value = JSON.stringify(await requestPasskey(form));
      form.submit();
    } catch (error) {
      button.disabled = false;
      // What is no DOMException comes from the request for the challenge.
      showError(error.name === "SecurityError" ? unusable : error instanceof DOMException ? refused : failed);
    }
  });
}
