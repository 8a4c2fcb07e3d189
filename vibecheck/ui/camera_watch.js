// Tells the page what is in the way of the camera: "insecure", "refused", "missing", or nothing.
export default function ({ setStateValue }) {
  let last = "";
  let permission = null;
  const tell = (trouble) => {
    if (trouble !== last) {
      last = trouble;
      setStateValue("trouble", trouble);
    }
  };
  const look = async () => {
    if (!navigator.mediaDevices?.getUserMedia) return tell("insecure");
    if (permission?.state === "denied") return tell("refused");
    const devices = await navigator.mediaDevices.enumerateDevices();
    tell(devices.some((device) => device.kind === "videoinput") ? "" : "missing");
  };
  // Not every browser knows a permission for the camera; then only the rest is told.
  navigator.permissions
    ?.query({ name: "camera" })
    .then((status) => {
      permission = status;
      status.addEventListener("change", look);
    })
    .catch(() => {})
    .finally(look);
  navigator.mediaDevices?.addEventListener("devicechange", look);
  return () => {
    permission?.removeEventListener("change", look);
    navigator.mediaDevices?.removeEventListener("devicechange", look);
  };
}
