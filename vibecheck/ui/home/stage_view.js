// The rules of the page's fonts, which a frame does not inherit.
function pageFonts() {
  const rules = [];
  for (const sheet of parent.document.styleSheets) {
    if (sheet.href && new URL(sheet.href).origin !== location.origin) continue; // closed to scripts
    const absolute = (_, url) => `url("${new URL(url, sheet.href ?? parent.document.baseURI)}")`;
    for (const rule of sheet.cssRules)
      if (rule instanceof parent.CSSFontFaceRule) rules.push(rule.cssText.replace(/url\("?([^")]+)"?\)/g, absolute));
  }
  return rules.join("\n");
}

const NOTICE = 8000; // ms for which a message stays that has not stopped the video

// What the stage shows: START, or the camera with its controls; and a sentence about what is wrong.
function makeView(sentences, noCamera, css) {
  const style = document.createElement("style");
  style.textContent = pageFonts() + css;
  document.head.append(style);

  const root = document.createElement("div");
  root.id = "stage";
  root.innerHTML = `
    <div class="picture" hidden>
      <video autoplay muted playsinline disablepictureinpicture aria-label="Your camera"></video><div class="faces" aria-hidden="true"></div>
    </div>
    <div class="off">
      <p class="trouble" role="alert"></p>
      <button type="button" class="start">START</button>
      <div class="instead" hidden>
        <button type="button" class="pill" data-way="photo">Take a photo</button>
        <button type="button" class="pill" data-way="upload">Upload a picture</button>
      </div>
      <label><input type="checkbox" class="auto"> Start automatically next time</label>
      <p class="asks" hidden>It starts automatically once the browser remembers that the camera is allowed.</p>
    </div>
    <div class="on" hidden>
      <button type="button" class="round settings" aria-label="Camera settings" aria-expanded="false">
        <svg width="20" height="20" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
          <path d="M4 7h9M19 7h1M4 17h1M11 17h9"/><circle cx="16" cy="7" r="3"/><circle cx="8" cy="17" r="3"/></svg>
      </button>
      <div class="menu" hidden>
        <select aria-label="Camera"></select>
        <label><input type="checkbox" class="auto"> Start automatically next time</label>
      </div>
      <button type="button" class="round stop" aria-label="Stop the camera"><i></i></button>
    </div>`;
  document.body.prepend(root);
  const one = (selector) => root.querySelector(selector);
  const [picture, off, on, menu, settings] = [".picture", ".off", ".on", ".menu", ".settings"].map(one);
  const [video, faces] = picture.children;
  video.muted = true; // as an attribute in innerHTML it has no effect

  let trouble = ""; // a key of `sentences`, or empty
  let asks = false; // whether the browser asks the visitor before it opens the camera
  const isPlaying = () => video.srcObject !== null;
  const toggleMenu = (open) => {
    menu.hidden = !open;
    settings.setAttribute("aria-expanded", String(open));
  };
  const paint = () => {
    const focused = root.contains(document.activeElement);
    picture.hidden = on.hidden = !isPlaying();
    off.hidden = isPlaying() && !trouble;
    off.classList.toggle("over", isPlaying());
    one(".trouble").textContent = sentences[trouble] ?? "";
    one(".instead").hidden = !trouble;
    one("[data-way=photo]").hidden = noCamera.includes(trouble);
    one(".start").hidden = trouble === "insecure";
    one(".asks").hidden = !asks || !one(".auto").checked;
    if (!isPlaying()) toggleMenu(false);
    // The control that was pressed may be hidden now.
    if (focused && !document.activeElement.getClientRects().length) (isPlaying() ? settings : one(".start")).focus();
  };
  let clearing = 0; // the timer that clears a notice
  const setTrouble = (kind) => {
    clearTimeout(clearing);
    trouble = kind;
    paint();
  };
  const setAsks = (now) => {
    asks = now;
    paint();
  };
  // Shows for a while what has not stopped the video. On a phone there is no room for the menu beside it.
  const notify = (kind) => {
    if (menu.contains(document.activeElement)) settings.focus();
    toggleMenu(false);
    setTrouble(kind);
    clearing = setTimeout(setTrouble, NOTICE, "");
  };

  // The picture keeps its shape within the 4:3 of the stage: the visitor sees all that the app reads.
  video.addEventListener("resize", () => {
    const shape = video.videoWidth / video.videoHeight;
    picture.style.aspectRatio = shape;
    picture.style[shape >= 4 / 3 ? "width" : "height"] = "100%";
    picture.style[shape >= 4 / 3 ? "height" : "width"] = "auto";
  });

  settings.addEventListener("click", () => toggleMenu(menu.hidden));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !menu.hidden) {
      toggleMenu(false);
      settings.focus();
    }
  });
  // The page's own keys work while the focus is in this frame.
  window.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
    if (ctrlKey || metaKey || altKey || !menu.hidden || target.closest?.("input, select")) return;
    parent.dispatchEvent(new parent.KeyboardEvent("keydown", { key }));
  }, true);
  for (const button of root.querySelectorAll("[data-way]"))
    button.addEventListener("click", () => announce("way", button.dataset.way));
  const boxes = root.querySelectorAll(".auto");
  for (const box of boxes) {
    box.checked = remembered(MEMORY.autostart) === "yes";
    box.addEventListener("change", () => {
      for (const each of boxes) each.checked = box.checked;
      remember(MEMORY.autostart, box.checked ? "yes" : "");
      paint();
    });
  }

  paint();
  return {
    root, picture, video, faces, isPlaying, paint, setTrouble, setAsks, notify,
    startButton: one(".start"),
    stopButton: one(".stop"),
    cameras: one("select"),
    trouble: () => trouble,
  };
}
