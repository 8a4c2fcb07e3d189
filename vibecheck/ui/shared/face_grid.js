// A grid of small pictures that are buttons; tells the page which one was pressed, unless it is the current one.
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
  if (thumb.mark) button.append(element("span", "mark vc-emoji", thumb.mark));
  if (!thumb.current) button.addEventListener("click", () => press(thumb.id));
  return button;
}

// Enter on a button or a link presses that one. Streamlit's shortcut would take it for "Right".
function keepEnter(event) {
  if (event.key === "Enter" && event.target.closest?.("button, a, summary, [role=button]")) {
    event.stopImmediatePropagation();
  }
}

export default function ({ data, parentElement, setTriggerValue }) {
  const press = (id) => setTriggerValue("picked", id);
  const grid = parentElement.querySelector(".vc-grid") ?? element("div", "vc-grid");
  grid.replaceChildren(...(data?.thumbs ?? []).map((thumb) => tile(thumb, press)));
  if (!grid.isConnected) parentElement.append(grid);
  window.addEventListener("keydown", keepEnter, true);
  return () => window.removeEventListener("keydown", keepEnter, true);
}
