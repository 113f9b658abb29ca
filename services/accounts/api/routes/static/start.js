// A file, because the page's policy allows no inline script. URLs are relative: a proxy may serve them under a prefix.
const dark = matchMedia("(prefers-color-scheme: dark)");
const followColorScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", followColorScheme);
followColorScheme();

// An operation's button contains a link to it, which keyboards and screen readers cannot tell apart from the button.
const withoutNestedLinks = {
  wrapComponents: {
    DeepLink: (Original, system) => (props) =>
      system.React.createElement(Original, {...props, enabled: false}),
  },
};

// What Swagger UI leaves out for screen readers: by selector, the attributes that an element should have.
const ATTRIBUTES = [
  ["h3.opblock-tag, .modal-ux-header h3, .models > h4", {"aria-level": "2"}],
  [".opblock-section-header h4, .auth-container h4, .opblock-body h5", {"aria-level": "3"}],
  [".modal-ux", {role: "dialog", "aria-modal": "true", "aria-label": "Sign in"}],
  [".close-modal", {"aria-label": "Close"}],
  [".auth-btn-wrapper button", {"aria-label": null}],  // it did not contain the text of the button
  [".examples-select-element", {"aria-label": "Examples"}],
  [".body-param textarea", {"aria-label": "Request body"}],
  ["#oauth_username", {autocomplete: "username", autocapitalize: "none"}],
  ["#oauth_password", {autocomplete: "current-password"}],
  [".highlight-code pre, .example pre, pre.example, .curl-command pre", {tabindex: "0"}],  // they may scroll
];
const TEXTS = [
  [".modal-ux-header h3", "Sign in"],
  ["label[for=oauth_username]", "Email:"],
  ["label[for=oauth_password]", "Password:"],
];

const improve = () => {
  for (const [selector, attributes] of ATTRIBUTES)
    for (const element of document.querySelectorAll(selector))
      for (const [name, value] of Object.entries(attributes))
        if (value === null) element.removeAttribute(name);
        else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  for (const [selector, text] of TEXTS) {
    const element = document.querySelector(selector);
    if (element && element.textContent !== text) element.textContent = text;
  }
};
new MutationObserver(improve).observe(document.getElementById("swagger-ui"), {childList: true, subtree: true});

SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  presets: [SwaggerUIBundle.presets.apis],
  plugins: [withoutNestedLinks],
});
