// The stage: the visitor's camera in streamlit-webrtc's frame, and the video's way to the app.
//
// streamlit-webrtc shows no picture when it only sends. So this script shows the camera, hides the buttons of
// streamlit-webrtc and clicks them. It must be loaded before the camera starts.
//
// The page's window receives each mark as the event "vibecheck-mark", "vibecheck-start" when video that the visitor
// started is shown, and "vibecheck-stop" when it ends.
const REOPEN = 5; // times that a lost WebSocket is opened again without a mark in between
const START_WITHIN = 10_000; // ms within which streamlit-webrtc asks for the camera

const view = makeView(SENTENCES, NO_CAMERA, STYLE);
const overlay = makeOverlay(view);
let route = { mode: "webrtc" }; // from the app: the transports allowed, and the WebSocket's path and ticket
let bySocket = false; // whether the video goes, or is about to go, over a WebSocket
let starting = 0; // until when another press of START is ignored
let pressed = false; // whether START was pressed and no video is shown yet

const camera = makeCamera(view, {
  answered() {
    starting = 0;
  },
  lost() {
    if (!bySocket) press("STOP"); // streamlit-webrtc does not notice
    breakOff("ended");
    camera.look(); // perhaps the visitor has blocked it
  },
  hidden() {
    leaveSocket();
    overlay.clear();
    announce("stop");
  },
});
const show = (stream) => {
  camera.show(stream);
  if (pressed) announce("start");
  pressed = false;
};
const take = (mark) => {
  if (!view.isPlaying()) return; // it was on its way when the video was stopped
  overlay.draw(mark);
  announce("mark", { ...mark, transport: bySocket ? "WebSocket" : "WebRTC" });
};

// Clicks one of streamlit-webrtc's buttons, as soon as it can be pressed. A newer call replaces an older one, but START
// first stops what is still to be stopped.
let presses = 0;
let unstopped = false;
async function press(name) {
  const own = ++presses;
  unstopped ||= name === "STOP";
  for (let tries = 0; tries < 100 && own === presses; tries++) {
    const buttons = [...document.querySelectorAll("#root button:enabled")];
    const named = (text) => buttons.find((each) => each.textContent.trim().toUpperCase() === text);
    const button = (unstopped && named("STOP")) || named(name);
    if (button) {
      unstopped = false;
      const last = button === named(name);
      // Until streamlit-webrtc has loaded all of its scripts, a second click would open a second connection.
      if (last && name === "START") starting = performance.now() + START_WITHIN;
      button.click();
      if (last) return;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

const webrtc = makeWebRtc(view.video, {
  sends: show,
  marked: take,
  connected() {
    if (bySocket) return;
    remember(MEMORY.transport, "");
    if (view.trouble() === "blocked") view.setTrouble("");
  },
  failed: leaveWebRtc,
  silent: async () => route.mode === "auto" && (await isAppReachable()),
});

// While the page itself has no connection, a WebSocket would not open either; WebRTC may continue after the interruption.
const isAppReachable = () => fetch(parent.location.pathname).then(({ ok }) => ok, () => false);

function leaveWebRtc(end) {
  if (bySocket || !view.isPlaying()) return;
  if (route.mode === "auto") {
    camera.show(view.video.srcObject.clone()); // streamlit-webrtc stops the tracks that it asked for
    startSocket(end); // first: for the page the video goes on
    press("STOP");
  } else if (end) {
    breakOff(end);
    press("STOP");
  } else {
    view.setTrouble("blocked"); // it may still connect
  }
}

let changes = 0; // of the WebSocket's state
const socketChanged = () => {
  changes += 1;
  announce("socket");
};
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
    socketChanged();
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
  if (!canReadFrames()) return breakOff("unreadable");
  bySocket = true;
  ended = end;
  reopened = 0;
  openSocket();
  socketChanged();
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

let starts = 0;
async function start() {
  if (performance.now() < starting) return;
  view.setTrouble("");
  const direct = !webrtc || remembered(MEMORY.transport) === "websocket";
  if (route.mode === "webrtc" && !webrtc) return view.setTrouble("blocked");
  if (route.mode === "webrtc" || (route.mode === "auto" && !direct)) return press("START");
  const own = ++starts;
  const stream = await camera.open(route.constraints).catch(() => null);
  if (own !== starts) return stopTracks(stream); // START was pressed again
  if (!stream) return;
  show(stream);
  startSocket();
}

function stop() {
  if (!bySocket) press("STOP");
  view.setTrouble("");
  camera.hide();
}

let choices = 0;
let changing = Promise.resolve();
function changeCamera() {
  const own = ++choices;
  const chosen = view.cameras.value;
  changing = changing.then(() => own === choices && useCamera(chosen)); // one after the other, the newest at last
}

async function useCamera(chosen) {
  const before = view.video.srcObject;
  const isShown = () => before !== null && view.video.srcObject === before;
  if (!isShown()) return;
  const [track] = before.getVideoTracks();
  const constraints = { video: track.getConstraints() };
  const open = async (id) => {
    const stream = await camera.open(constraints, id);
    try {
      if (isShown() && !bySocket) await webrtc.replace(stream.getVideoTracks()[0]);
    } catch (error) {
      stopTracks(stream);
      throw error;
    }
    if (!isShown()) return stopTracks(stream); // the video was stopped meanwhile
    camera.show(stream);
  };
  const onPhone = matchMedia("(pointer: coarse)").matches;
  if (onPhone) camera.release();
  try {
    await open(chosen);
  } catch {
    if (!isShown()) return;
    // The previous one stays.
    if (onPhone) await open(track.getSettings().deviceId).catch(() => isShown() && camera.hide());
    if (!view.isPlaying()) return;
    camera.offer();
    view.notify("unchanged");
  }
}

view.startButton.addEventListener("click", () => {
  pressed = true;
  start();
});
view.stopButton.addEventListener("click", stop);
view.cameras.addEventListener("change", changeCamera);
camera.ready.then(() => {
  if (remembered(MEMORY.autostart) === "yes" && camera.isAllowed() && !view.trouble()) start();
});
window.vibecheckStage = {
  setRoute(allowed) {
    const before = route.session;
    route = allowed;
    // A new session, for example after a sign-out in another tab, knows nothing of the old one's connection.
    if (before && before !== route.session) leaveWebRtc("closed");
  },
  // 0 while no WebSocket is used, otherwise a number that changes with the state of the connection.
  socket: () => (bySocket ? changes : 0),
};
