// Whether this page may read a canvas, and so a frame. With `privacy.resistFingerprinting` Firefox returns noise.
function canReadFrames() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 16;
  const context = canvas.getContext("2d");
  context.fillStyle = "#F00";
  context.fillRect(0, 0, 16, 16);
  const { data } = context.getImageData(0, 0, 16, 16);
  // Other protections change each value by a little, which does no harm.
  return data.every((value, i) => Math.abs(value - [255, 0, 0, 255][i % 4]) < 16);
}

// Live video over a WebSocket of the app's own server (see video/websocket.py).
//
// `video` shows the camera. `onMark` is called with each mark, `onState` with "open" and then with how it ended: "left"
// (closed here), "lost" or "closed" (by the app). A connection that never opened is "refused".
function makeSocket(video, onMark, onState) {
  const PROTOCOL = "vibecheck-video"; // as in video/websocket.py
  const SIDE = 400; // px of the longer side: 8 to 14 kB a frame
  const QUALITY = 0.6;
  const FASTEST = 10; // frames a second
  const LATE = 3000; // ms to wait for a mark before the next frame is sent without it

  const canvas = document.createElement("canvas");
  let socket = null;
  let frames = FASTEST;
  let due = 0;
  let timer = 0;

  const later = (ms) => {
    clearTimeout(timer);
    timer = setTimeout(send, ms);
  };
  const send = () => {
    const open = socket;
    if (open?.readyState !== WebSocket.OPEN) return;
    const wait = due - performance.now();
    if (wait > 0) return later(wait);
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
    if (video.readyState < 2 || !video.videoWidth) return later(50);
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    due = performance.now() + 1000 / frames;
    later(LATE);
    canvas.toBlob(
      (picture) => {
        if (picture && open === socket && open.readyState === WebSocket.OPEN) open.send(picture);
      },
      "image/jpeg",
      QUALITY,
    );
  };
  const close = () => {
    clearTimeout(timer);
    const open = socket;
    socket = null;
    open?.close();
    if (open) onState("left");
  };
  const open = ({ path, ticket }) => {
    close();
    const address = new URL(path, parent.location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const made = (socket = new WebSocket(address, [PROTOCOL, ticket]));
    let opened = false;
    made.onopen = () => {
      opened = true;
      onState("open");
      send();
    };
    made.onmessage = ({ data }) => {
      const mark = JSON.parse(data);
      frames = Math.min(FASTEST, mark.frames);
      onMark(mark);
      send(); // one frame is in flight at a time
    };
    made.onclose = ({ wasClean }) => {
      if (made !== socket) return;
      clearTimeout(timer);
      socket = null;
      if (!opened) onState("refused");
      else onState(wasClean ? "closed" : "lost");
    };
  };
  return { open, close };
}
