// Injects the stage into streamlit-webrtc's frame (of the same origin), and passes messages between the app and the
// stage. FRAME is the script that runs in the frame: the files stage_*.js in one function (see stage.py).

let leave = () => {}; // ends the previous run of this component

export default function ({ data, setTriggerValue, setStateValue }) {
  const enter = () => {
    for (const frame of document.querySelectorAll('iframe[title*="webrtc"]')) {
      const inside = frame.contentDocument;
      if (!inside?.getElementById("root")) continue;
      if (!frame.contentWindow.vibecheckStage) {
        const script = inside.createElement("script");
        script.textContent = FRAME;
        inside.head.append(script);
      }
      frame.contentWindow.vibecheckStage.setRoute(data.route);
    }
  };
  leave();
  enter();
  const watch = setInterval(enter, 100); // the frame loads later than this, and again with each visit of the page
  const choose = (event) => setTriggerValue("way", event.detail);
  const connected = (event) => setStateValue("socket", event.detail);
  window.addEventListener("vibecheck-way", choose);
  window.addEventListener("vibecheck-socket", connected);
  leave = () => {
    clearInterval(watch);
    window.removeEventListener("vibecheck-way", choose);
    window.removeEventListener("vibecheck-socket", connected);
  };
  return leave;
}
