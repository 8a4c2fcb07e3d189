// What this browser remembers for the next visit (localStorage).
const MEMORY = {
  camera: "vibecheck-camera", // id of the camera chosen last
  autostart: "vibecheck-autostart", // "yes" if the camera is to start automatically
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
    // not remembered for the next visit
  }
}

// Sends an event to the page that contains the frame.
function announce(name, detail) {
  parent.dispatchEvent(new parent.CustomEvent(`vibecheck-${name}`, { detail }));
}
