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
    // A camera is listed, if without a name, before it is allowed: where there is none, that comes first.
    const devices = await navigator.mediaDevices.enumerateDevices();
    if (!devices.some((device) => device.kind === "videoinput")) return tell("missing");
    tell(permission?.state === "denied" ? "refused" : "");
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
