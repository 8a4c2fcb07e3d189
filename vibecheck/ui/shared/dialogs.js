// Streamlit's dialogs: a lost connection is reported in the app's words, and a popover opened by key gets the focus.
const FOCUSABLE = "button:enabled, a[href], input:enabled, select, textarea, [tabindex='0']";
const OPENS = 5000; // ms within which a popover opens
let presses = 0; // of keys
let stop = () => {}; // ends the previous run of this component

function replaceTexts(words) {
  for (const dialog of document.querySelectorAll("[role=dialog]")) {
    const texts = document.createTreeWalker(dialog, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
      const ours = words[texts.currentNode.nodeValue.trim()];
      if (ours) texts.currentNode.nodeValue = ours;
    }
  }
}

// The first control of the popover, or the chosen option if that is a radio button.
function firstControl() {
  const popover = document.querySelector("[data-testid=stPopoverBody]");
  const first = popover?.querySelector(FOCUSABLE);
  if (first?.type !== "radio") return first;
  return popover.querySelector(`input[name="${CSS.escape(first.name)}"]:checked`) ?? first;
}

// Streamlit appends a popover to the end of the page and leaves the focus on its button; Escape returns there. The
// content arrives piece by piece, so the focus is moved until the visitor presses another key or leaves the control.
function enterPopover({ detail, target }) {
  const own = presses;
  const button = target.closest?.("[data-testid=stPopoverButton]");
  // `detail` is the number of clicks of a pointer: 0 for a key.
  if (!button || detail > 0 || button.getAttribute("aria-expanded") === "true") return;
  const until = performance.now() + OPENS;
  let focused = button;
  const enter = () => {
    const open = button.getAttribute("aria-expanded") === "true";
    if (own !== presses || document.activeElement !== focused || (!open && performance.now() > until)) return;
    const first = open && firstControl();
    if (first && first !== focused) {
      first.focus({ preventScroll: true });
      focused = document.activeElement;
    }
    setTimeout(enter, 100);
  };
  setTimeout(enter, 50);
}

function countPress() {
  presses += 1;
}

export default function ({ data }) {
  stop();
  const watch = setInterval(replaceTexts, 300, data.words);
  window.addEventListener("keydown", countPress, true);
  window.addEventListener("click", enterPopover, true);
  stop = () => {
    clearInterval(watch);
    window.removeEventListener("keydown", countPress, true);
    window.removeEventListener("click", enterPopover, true);
  };
  return stop;
}
