// The stage: the visitor's camera in streamlit-webrtc's frame, and the video's way to the app.
//
// streamlit-webrtc shows no picture when it only sends. So this script shows the camera, hides the buttons of
// streamlit-webrtc and clicks them. It must be loaded before the camera starts.
//
// The page receives each mark as the event "vibecheck-mark" of its window.
const REOPEN = 5; // times that a lost WebSocket is opened again without a mark in between

const view = makeView(SENTENCES, NO_CAMERA, STYLE);
const overlay = makeOverlay(view);
let route = { mode: "webrtc" }; // from the app: the transports allowed, and the WebSocket's path and ticket
let bySocket = false; // whether the video goes, or is about to go, over a WebSocket

const camera = makeCamera(view, () => {
  if (view.trouble() === "ended" && !bySocket) press("STOP"); // streamlit-webrtc does not notice
  leaveSocket();
  overlay.clear();
});
const take = (mark) => {
  overlay.draw(mark);
  announce("mark", { ...mark, transport: bySocket ? "WebSocket" : "WebRTC" });
};

// Clicks one of streamlit-webrtc's buttons, as soon as it is there; a newer call replaces an older one.
let presses = 0;
async function press(name) {
  const own = ++presses;
  for (let tries = 0; tries < 100 && own === presses; tries++) {
    const buttons = [...document.querySelectorAll("#root button")];
    const button = buttons.find((each) => each.textContent.trim().toUpperCase() === name);
    if (button && !button.disabled) return button.click();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

const webrtc = makeWebRtc({
  sends: camera.show,
  marked: take,
  connected() {
    if (bySocket) return;
    remember(MEMORY.transport, "");
    if (view.trouble() === "blocked") view.setTrouble("");
  },
  failed(end) {
    if (bySocket || !view.isPlaying()) return;
    if (route.mode === "auto") {
      const sent = view.video.srcObject;
      camera.show(sent.clone()); // streamlit-webrtc stops the tracks that it asked for
      stopTracks(sent);
      press("STOP");
      startSocket(end);
    } else if (end) {
      breakOff(end);
      press("STOP");
    } else {
      view.setTrouble("blocked"); // it may still connect
    }
  },
});

let ended = ""; // how the connection before this one ended: "lost", "closed", or "" if there was none
let used = ""; // the last ticket; each opens one WebSocket
let reopened = 0;
let reopening = 0;
const socket = makeSocket(
  view.video,
  (mark) => {
    reopened = 0;
    take(mark);
  },
  (state) => {
    announce("socket", state === "open");
    if (state === "open") {
      used = route.ticket;
      if (!ended) remember(MEMORY.transport, "websocket");
    }
    if (state === "open" || state === "left" || !bySocket) return;
    if (state !== "refused") ended = state;
    reopened += 1;
    if (reopened > REOPEN) giveUp();
    else reopening = setTimeout(openSocket, 1000);
  },
);

function openSocket(tries = 50) {
  clearTimeout(reopening);
  if (!bySocket) return;
  if (route.ticket !== used) socket.open(route);
  else if (tries > 0) reopening = setTimeout(openSocket, 100, tries - 1); // the page is fetching another ticket
  else giveUp();
}

function startSocket(end = "") {
  bySocket = true;
  ended = end;
  reopened = 0;
  openSocket();
}

function leaveSocket() {
  bySocket = false;
  clearTimeout(reopening);
  socket.close();
}

function giveUp() {
  remember(MEMORY.transport, "");
  breakOff(ended || "unconnected");
}

function breakOff(trouble) {
  camera.hide();
  view.setTrouble(trouble);
}

async function start() {
  view.setTrouble("");
  const direct = route.mode === "auto" && remembered(MEMORY.transport) === "websocket";
  if (route.mode !== "websocket" && !direct) return press("START");
  const stream = await camera.open(route.constraints).catch(() => null);
  if (!stream) return;
  camera.show(stream);
  startSocket();
}

function stop() {
  if (!bySocket) press("STOP");
  camera.hide();
}

async function changeCamera() {
  remember(MEMORY.camera, view.cameras.value);
  const [before] = view.video.srcObject?.getVideoTracks() ?? [];
  if (!before) return;
  try {
    const stream = await camera.open({ video: before.getConstraints() });
    await webrtc.replace(before, stream.getVideoTracks()[0]);
    camera.show(stream);
    before.stop();
  } catch {
    camera.offer(); // the previous one stays
  }
}

view.startButton.addEventListener("click", start);
view.stopButton.addEventListener("click", stop);
view.cameras.addEventListener("change", changeCamera);
camera.ready.then(() => {
  if (remembered(MEMORY.autostart) === "yes" && camera.isAllowed() && !view.trouble()) start();
});
window.vibecheckStage = {
  setRoute(allowed) {
    route = allowed;
  },
};
