// Keeps the parts of the page with data-live up to date, until the page has no data-open any more. Without scripts, a
// link loads the page again. A part is replaced only when its text has changed, so that it is not announced again.
const SECONDS = 2;

async function refresh() {
  const response = await fetch(location.href);
  if (response.redirected || (response.status >= 400 && response.status < 500)) return false; // signed out, or deleted
  if (!response.ok) return true; // the service is away
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const isOpen = page.querySelector("[data-open]") !== null; // before parts of that page are moved to this one
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(part.id);
    if (fresh && fresh.innerHTML !== part.innerHTML) replace(part, fresh);
  }
  return isOpen;
}

function replace(part, fresh) {
  const hadFocus = part.contains(document.activeElement);
  part.replaceChildren(...fresh.childNodes);
  if (hadFocus) document.getElementById("content").focus();
}

async function watch() {
  if (document.hidden) {
    document.addEventListener("visibilitychange", watch, { once: true });
    return;
  }
  const goesOn = await refresh().catch(() => true); // the network is away
  if (goesOn) setTimeout(watch, SECONDS * 1000);
}

if (document.querySelector("[data-open]")) setTimeout(watch, SECONDS * 1000);
