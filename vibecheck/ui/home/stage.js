// Injects the stage into streamlit-webrtc's frame (of the same origin), and passes messages between the app and the
// stage. FRAME is the script that runs in the frame: the files stage_*.js in one function (see stage.py).

let leave = () => {}; // ends the previous run of this component
let told = 0; // the last state of the WebSocket that the app was told

export default function ({ data, setTriggerValue, setStateValue }) {
  const enter = () => {
    let socket = 0;
    for (const frame of document.querySelectorAll('iframe[title*="webrtc"]')) {
      const inside = frame.contentDocument;
      if (!inside?.getElementById("root")) continue;
      if (!inside.getElementById("vibecheck")) {
        const script = inside.createElement("script");
        script.id = "vibecheck";
        script.textContent = FRAME;
        frame.ariaLabel = "Camera"; // for screen readers, which would say its title
        inside.head.append(script);
      }
      const stage = frame.contentWindow.vibecheckStage;
      stage?.setRoute(data.route);
      socket = stage?.socket() ?? 0;
    }
    if (socket !== told) setStateValue("socket", (told = socket));
  };
  leave();
  enter();
  const watch = setInterval(enter, 100); // the frame loads later than this, and again with each visit of the page
  const listening = new AbortController();
  const listen = (name, hear) => window.addEventListener(`vibecheck-${name}`, hear, { signal: listening.signal });
  listen("way", ({ detail }) => setTriggerValue("way", detail));
  listen("start", () => setTriggerValue("started", true));
  listen("socket", enter);
  leave = () => {
    clearInterval(watch);
    listening.abort();
  };
  return leave;
}
