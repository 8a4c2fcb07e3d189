// What this browser remembers for the next visit (localStorage).
const MEMORY = {
  camera: "vibecheck-camera", // id of the camera chosen last
  autostart: "vibecheck-autostart", // "yes" if the camera is to start by itself
  transport: "vibecheck-transport", // "websocket" if WebRTC did not connect last time
};

function remembered(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return ""; // this browser blocks storage
  }
}

function remember(key, value) {
  try {
    if (value) localStorage.setItem(key, value);
    else localStorage.removeItem(key);
  } catch {
    // then it is forgotten when the page is left
  }
}

// Tells the page that the frame is in.
function announce(name, detail) {
  parent.dispatchEvent(new parent.CustomEvent(`vibecheck-${name}`, { detail }));
}
