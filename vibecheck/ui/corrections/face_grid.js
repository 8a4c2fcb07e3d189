// A grid of thumbnail buttons; tells the page which one was pressed, unless it is the current one.
// Everything is set as text or as a property, never as markup.
function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

function tile(thumb, press) {
  const button = element("button", "vc-thumb");
  button.type = "button";
  button.setAttribute("aria-label", thumb.says);
  if (thumb.current) button.setAttribute("aria-current", "true");
  if (thumb.src) {
    const image = element("img", "");
    image.src = thumb.src;
    image.alt = "";
    button.append(image);
  } else {
    button.append(element("span", "vc-emoji", thumb.emoji));
  }
  const title = element("span", "title", thumb.title);
  title.style.color = thumb.colour;
  button.append(title);
  if (thumb.note) button.append(element("span", "note", thumb.note));
  if (thumb.mark) button.append(element("span", "mark vc-emoji", thumb.mark));
  if (!thumb.current) button.addEventListener("click", () => press(thumb.id));
  return button;
}

// Enter on a focused button or link activates that, not Streamlit's shortcut for "Right".
function keepEnter(event) {
  if (event.key === "Enter" && event.target.closest?.("button, a, summary, [role=button]")) {
    event.stopImmediatePropagation();
  }
}

// A key labels the face that is shown. One pressed before the next face has arrived would label that face unseen: it is
// ignored, and a message says so.
const PATIENCE = 5000; // ms, should the page not answer
let labelledAt = -PATIENCE;
let ignored = 0;

function oneKeyAFace(event) {
  const known = /^([0-7]|Enter)$/.test(event.key) && !(event.ctrlKey || event.metaKey || event.altKey);
  if (!known || event.target.closest?.("input, textarea, [contenteditable]")) return;
  if (!document.querySelector(`[class*="st-key-${event.key}-"] button:not(:disabled)`)) return;
  if (performance.now() - labelledAt < PATIENCE) {
    event.stopImmediatePropagation();
    event.preventDefault();
    ignored += event.repeat ? 0 : 1;
  } else {
    labelledAt = performance.now();
    ignored = 0;
  }
  tell();
}

function tell() {
  const status = document.querySelector(".vc-status");
  const keys = ignored === 1 ? "1 key press" : `${ignored} key presses`;
  if (status) status.textContent = ignored ? `Too fast: ${keys} ignored. Wait until the next face is shown.` : "";
}

export default function ({ data, parentElement, setTriggerValue }) {
  const press = (id) => setTriggerValue("picked", id);
  const grid = parentElement.querySelector(".vc-grid") ?? element("div", "vc-grid");
  grid.replaceChildren(...(data?.thumbs ?? []).map((thumb) => tile(thumb, press)));
  if (!grid.isConnected) {
    const status = element("p", "vc-status");
    status.setAttribute("role", "status");
    parentElement.append(grid, status);
  }
  labelledAt = -PATIENCE; // the next face has arrived
  tell();
  const listening = new AbortController();
  for (const hear of [keepEnter, oneKeyAFace])
    window.addEventListener("keydown", hear, { capture: true, signal: listening.signal });
  return () => listening.abort();
}
