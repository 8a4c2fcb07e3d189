// The mood card: the live mood, drawn from the stage's marks (the event "vibecheck-mark"), or a result.
//
// Everything is set as text or as a property, never as markup. Keys: C checks, Escape returns to the live mood, 1 to 7
// answer.
const QUIET = 3000; // ms between two announcements to screen readers
const REPLACED = 20_000; // ms within which the page replaces a button that was pressed
const ANSWERED = 30_000; // ms within which the app answers a press of "Check my vibe"
const FIRST = 10; // s within which the first mark is expected
const OTHERS = 6; // moods besides the one that was read
const EMPTY = "#98A2B3";

function element(name, className, ...children) {
  const made = document.createElement(name);
  made.className = className;
  made.append(...children);
  return made;
}

function bar(name) {
  const made = element("span", "vc-bar", element("i", ""));
  made.setAttribute("role", "meter");
  made.setAttribute("aria-label", name);
  made.setAttribute("aria-valuemin", "0");
  made.setAttribute("aria-valuemax", "100");
  return made;
}

function fill(bar, share, colour) {
  bar.setAttribute("aria-valuenow", String(Math.round(share * 100)));
  bar.firstChild.style.width = `${(share * 100).toFixed(2)}%`;
  bar.firstChild.style.backgroundColor = colour;
}

const percent = (share) => `${Math.round(share * 100)}%`;

class Card {
  constructor(moods, texts) {
    this.moods = moods;
    this.texts = texts;
    this.byName = Object.fromEntries(moods.map((mood) => [mood.name, mood]));
    this.number = -1; // of the mark that is shown; negative if none is
    this.announced = "";
    this.announcedAt = 0;
    this.face = element("img", "vc-frozen");
    this.face.alt = "Your face at that moment";
    this.emoji = element("span", "vc-emoji");
    this.emoji.setAttribute("aria-hidden", "true");
    this.lead = element("span", "vc-you");
    this.name = element("h2", "name");
    this.name.tabIndex = -1;
    this.words = element("span", "vc-words");
    this.confidence = bar("Confidence");
    this.rows = moods.map((mood) => {
      const row = { bar: bar(mood.title), value: element("span", "value") };
      row.node = element("span", "vc-row", element("span", "", mood.title), row.bar, row.value);
      return row;
    });
    this.seven = element("details", "vc-seven", element("summary", "", "All seven"));
    this.hint = element("p", "vc-hint");
    this.status = element("p", "vc-rates");
    this.details = element("details", "vc-details", element("summary", "", "Details"), this.status);
    this.says = element("div", "vc-says");
    this.says.setAttribute("role", "status");
    const head = element("div", "vc-head", this.face, element("div", "", this.lead, this.name), this.emoji);
    this.open = element("div", "vc-all");
    this.node = element("section", "vc-mood", head, this.confidence, this.words, this.open, this.seven, this.hint,
      this.details, this.says);
    this.node.setAttribute("aria-label", "Mood");
  }

  // The seven bars are always open beside live video, and fold in a result.
  place(live) {
    (live ? this.open : this.seven).append(...this.rows.map((row) => row.node));
    this.seven.hidden = live;
    this.details.hidden = !live;
    this.node.classList.toggle("result", !live);
  }

  // `parts` of the headline are texts with their colours.
  headline(emoji, parts, colour) {
    if (this.emoji.textContent !== emoji) {
      this.emoji.textContent = emoji;
      this.emoji.style.animationName = "none";
      void this.emoji.offsetWidth; // restarts the animation: the page is laid out without it first
      this.emoji.style.animationName = "";
    }
    if (this.name.textContent !== parts.map(([text]) => text).join("")) {
      this.name.replaceChildren(...parts.map(([text]) => element("span", "", text)));
      parts.forEach(([, own], i) => (this.name.children[i].style.color = own ?? ""));
      this.name.classList.toggle("long", parts.length > 1);
    }
    this.colour = colour;
  }

  bars(probabilities, mood) {
    this.rows.forEach((row, i) => {
      const share = probabilities[i] ?? 0;
      fill(row.bar, share, this.moods[i].colour);
      row.value.textContent = percent(share);
      row.node.classList.toggle("top", this.moods[i].name === mood);
    });
  }

  mood({ mood, runner_up, clear, probabilities }) {
    const [first, second] = [this.byName[mood], this.byName[runner_up]];
    const share = Math.max(...probabilities);
    if (clear) this.headline(first.emoji, [[first.headline, first.colour]], first.colour);
    else {
      const parts = [["Hard to tell: "], [first.adjective, first.colour], [" or "], [second.adjective, second.colour], ["?"]];
      this.headline("🤔", parts, first.colour);
    }
    fill(this.confidence, share, this.colour);
    this.words.textContent =
      `${percent(share)} sure · next: ${second.adjective} ${percent(probabilities[this.moods.indexOf(second)])}`;
    this.bars(probabilities, mood);
  }

  empty(emoji, title, text) {
    this.headline(emoji, [[title, EMPTY]], EMPTY);
    fill(this.confidence, 0, EMPTY);
    this.words.textContent = text;
    this.bars([], "");
  }

  // For screen readers: changes, but not every one of a lively face.
  announce(text) {
    const now = performance.now();
    clearTimeout(this.later);
    if (text === this.announced) return;
    if (now - this.announcedAt < QUIET) {
      this.later = setTimeout(() => this.announce(text), QUIET - (now - this.announcedAt));
      return;
    }
    this.announced = this.says.textContent = text;
    this.announcedAt = now;
  }

  live(mark) {
    this.node.classList.remove("late");
    this.expect(mark.keep);
    this.number = mark.number;
    if (mark.probabilities.length) {
      this.mood(mark);
      this.announce(this.name.textContent);
    } else {
      this.empty("👀", this.texts.nobody, this.texts.look);
      this.announce(this.texts.nobody);
    }
    this.hint.textContent = mark.hint || "\u00a0";
    this.status.textContent =
      `${mark.transport} · ${mark.frames_in.toFixed(0)} frames/s · ${mark.readings.toFixed(0)} readings/s · ${mark.age.toFixed(1)} s old`;
  }

  // Expects the next mark within `seconds`.
  expect(seconds) {
    clearTimeout(this.late);
    this.late = setTimeout(() => this.wait(), seconds * 1000);
  }

  // No mark arrived in time: the last reading stays, and the card says that it is old.
  wait() {
    if (this.checking) return;
    this.node.classList.add("late");
    this.hint.textContent = this.texts.nothing;
    this.announce(this.texts.nothing);
  }

  stop() {
    clearTimeout(this.late);
    clearTimeout(this.later);
    this.node.classList.remove("late");
    this.number = -1;
  }

  result({ label, mood, face, probabilities, clear, runner_up, hint }) {
    this.stop();
    this.open.hidden = true;
    this.face.hidden = !face;
    if (face) this.face.src = face;
    const read = Boolean(probabilities);
    this.confidence.hidden = this.words.hidden = this.seven.hidden = !read;
    const unclear = read && !clear;
    const top = read ? this.moods[probabilities.indexOf(Math.max(...probabilities))] : null;
    if (read) this.mood({ mood: top.name, runner_up, clear, probabilities });
    if (!unclear) {
      const shown = this.byName[mood]; // what the visitor said, if they did
      this.headline(shown.emoji, [[shown.headline, shown.colour]], shown.colour);
      if (read && top.name !== mood) this.words.prepend(`Read as ${top.adjective}, `);
    }
    this.lead.textContent = unclear ? "" : label;
    this.face.style.borderColor = this.colour;
    this.hint.textContent = hint;
    this.announce(unclear ? this.name.textContent : `${label} ${this.byName[mood].adjective}`);
  }
}

// Buttons that the page replaces when they are pressed, and what replaces them.
const REPLACEMENTS = [
  [
    "[class*='st-key-answer-'] button, .st-key-not-right button",
    () => [...document.querySelectorAll("[class*='st-key-answer-'] [role=radio]")].at(-OTHERS),
  ],
  [".st-key-again button", () => document.querySelector(".st-key-check button")],
];

// The focus of a button that is pressed by key moves to its replacement.
function keepFocus(pressed, replacement, until) {
  const next = pressed.isConnected ? null : replacement();
  if (next && document.activeElement === document.body) next.focus();
  else if (!next && performance.now() < until) setTimeout(keepFocus, 50, pressed, replacement, until);
}

function press(selector) {
  const button = document.querySelector(selector);
  button?.click();
  return Boolean(button);
}

export default function ({ data, parentElement, setTriggerValue }) {
  let card = parentElement.vibecheckCard;
  if (!card) {
    card = parentElement.vibecheckCard = new Card(data.moods, data.texts);
    parentElement.append(card.node);
  }
  const live = !data.result;
  card.place(live);
  if (live) {
    card.lead.textContent = "";
    card.face.hidden = true;
    card.words.hidden = false;
    card.open.hidden = card.confidence.hidden = !data.playing;
    if (!data.playing) {
      card.stop();
      card.empty("🎧", data.texts.before, data.texts.how);
      card.hint.textContent = "\u00a0";
      card.details.hidden = true;
    } else if (card.number < 0) {
      card.empty("👀", data.texts.looking, data.texts.look);
      card.expect(FIRST);
    }
  } else {
    card.result(data.result);
  }
  const key = data.result?.key ?? "";
  // When the page opens with a result, the focus stays where the browser put it.
  if (key && card.shown !== undefined && card.shown !== key) card.name.focus();
  card.shown = key;

  card.unlisten?.(); // those of the previous run
  const resume = () => {
    clearTimeout(card.unanswered);
    if (card.checking && live && data.playing) card.expect(1);
    card.checking = false;
  };
  resume();
  const heard = ({ detail }) => {
    if (live && data.playing && !card.checking) card.live(detail);
  };
  const keyed = (event) => {
    const { key: name, target, ctrlKey, metaKey, altKey } = event;
    if (ctrlKey || metaKey || altKey || target?.closest?.("input, textarea, select, [contenteditable]")) return;
    if (document.querySelector("[role=dialog]")) return; // the keys belong to the open popover
    if (name === "Enter" || name === " ") {
      for (const [selector, replacement] of REPLACEMENTS) {
        const pressed = target?.closest?.(selector);
        if (pressed) keepFocus(pressed, replacement, performance.now() + REPLACED);
      }
      return;
    }
    let done = false;
    if (name === "c" || name === "C") done = press(".st-key-check button:enabled, .st-key-again button");
    else if (name === "Escape") done = press(".st-key-again button");
    else if (data.answers && /^[1-7]$/.test(name)) {
      setTriggerValue("said", [data.result.key, data.moods[name - 1].name]);
      done = true;
    }
    if (done) event.stopImmediatePropagation(); // C is also a shortcut of Streamlit
  };
  // A vibe check reads the mark that is shown when the button is pressed; the card does not change until the result
  // replaces it.
  const checked = (event) => {
    if (!live || !data.playing || !event.target?.closest?.(".st-key-check button:enabled")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (card.checking) return;
    setTriggerValue("checked", card.node.classList.contains("late") ? -1 : card.number);
    card.checking = true; // until the app draws the card again
    card.unanswered = setTimeout(resume, ANSWERED); // the press may be lost with the page's connection
  };
  const listening = new AbortController();
  const { signal } = listening;
  window.addEventListener("click", checked, { capture: true, signal });
  window.addEventListener("vibecheck-mark", heard, { signal });
  window.addEventListener("vibecheck-stop", () => live && card.stop(), { signal });
  window.addEventListener("keydown", keyed, { capture: true, signal });
  card.unlisten = () => listening.abort();
  return card.unlisten;
}
