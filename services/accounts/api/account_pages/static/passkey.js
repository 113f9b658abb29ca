// Each form with data-passkey ("create" or "get") is submitted with the result of that ceremony, whose options come
// from the URL in data-options. Without scripts, or without passkeys in the browser, these forms stay hidden.
const api = window.PublicKeyCredential;
const parsers = { create: "parseCreationOptionsFromJSON", get: "parseRequestOptionsFromJSON" };
const REFRESH = 240_000; // milliseconds: challenges expire after 300 000
let offered; // the request that offers passkeys in the autofill of a field

async function perform(form, request = {}) {
  const kind = form.dataset.passkey;
  const response = await fetch(form.dataset.options, { method: "POST" });
  if (response.ok) {
    const publicKey = api[parsers[kind]](await response.json());
    const credential = await navigator.credentials[kind]({ publicKey, ...request });
    form.elements.passkey.value = JSON.stringify(credential.toJSON());
  } else if (request.mediation) {
    return;
  }
  form.submit(); // without a passkey the response says why there were no options
}

function offer(form) {
  if (document.hidden) {
    document.addEventListener("visibilitychange", () => offer(form), { once: true });
    return;
  }
  const request = new AbortController();
  const timer = setTimeout(() => { withdraw(); offer(form); }, REFRESH);
  request.signal.addEventListener("abort", () => clearTimeout(timer));
  offered = request;
  perform(form, { mediation: "conditional", signal: request.signal }).catch(() => {});
}

function withdraw() {
  offered?.abort();
  offered = undefined;
}

function show(form, name) {
  for (const message of form.querySelectorAll("[data-fault]")) {
    message.hidden = message.dataset.fault !== name;
    message.role = "alert";
  }
}

async function start(form) {
  const autofill = "autofill" in form.dataset && (await api.isConditionalMediationAvailable?.());
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    withdraw();
    show(form, "");
    try {
      await perform(form);
    } catch (error) {
      show(form, error.name === "InvalidStateError" ? "exists" : "failed");
      if (autofill) offer(form);
    }
  });
  if (autofill) offer(form);
}

if (api?.parseRequestOptionsFromJSON) {
  document.querySelectorAll("[data-without-passkeys]").forEach((hint) => { hint.hidden = true; });
  document.querySelectorAll("form[data-passkey]").forEach(start);
  // Tells password managers which passkeys were removed.
  const accepted = document.querySelector("[data-accepted]")?.dataset.accepted;
  if (accepted) api.signalAllAcceptedCredentials?.(JSON.parse(accepted)).catch(() => {});
}
