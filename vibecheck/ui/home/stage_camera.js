// The visitor's camera: asking for it, why it fails, and which one is used.
//
// streamlit-webrtc asks for the camera as well: it gets the one chosen here, and its failures are shown here.
// `report` has three functions: `answered()` (a request for the camera was granted or failed), `lost()` (the camera
// itself stopped) and `hidden()` (it is no longer shown).
function makeCamera(view, report) {
  const KINDS = {
    NotFoundError: "missing",
    NotReadableError: "busy",
    AbortError: "busy",
    OverconstrainedError: "unsuitable",
    SecurityError: "insecure",
  };
  const devices = navigator.mediaDevices;
  const getUserMedia = devices?.getUserMedia?.bind(devices);
  let permission = null;

  const kindOf = async (error) => {
    // Safari's name for "no camera" is OverconstrainedError.
    if (error.name === "OverconstrainedError" && !(await list()).length) return "missing";
    if (error.name !== "NotAllowedError") return KINDS[error.name] ?? "busy";
    const now = await navigator.permissions?.query({ name: "camera" }).catch(() => null);
    // If the page has the permission, the operating system denies it to the browser.
    return { prompt: "dismissed", granted: "system" }[now?.state] ?? "refused";
  };
  let another = null; // the track of a camera that was not the one asked for
  const ask = async (constraints, chosen) => {
    const deviceId = chosen ? { exact: chosen } : undefined;
    const stream = await getUserMedia({ ...constraints, video: { ...constraints.video, deviceId } });
    const [track] = stream.getVideoTracks();
    // The browser's request may let the visitor choose a different one, as Firefox's does.
    const opened = track?.getSettings().deviceId ?? chosen;
    if (chosen) remember(MEMORY.camera, opened);
    if (chosen && opened !== chosen) another = track;
    return stream;
  };
  // Like getUserMedia, with the camera `chosen` in the menu or, if it is plugged in, at an earlier visit; a failure is
  // shown and rethrown.
  const open = async (constraints, chosen = "") => {
    try {
      const before = remembered(MEMORY.camera);
      if (chosen || !before) return await ask(constraints, chosen);
      return await ask(constraints, before).catch((error) => {
        if (error.name !== "OverconstrainedError") throw error;
        return ask(constraints, ""); // it is not plugged in
      });
    } catch (error) {
      view.setTrouble(await kindOf(error));
      throw error;
    } finally {
      report.answered();
    }
  };
  if (getUserMedia) devices.getUserMedia = (constraints) => open(constraints);

  const list = async () => {
    const all = await devices.enumerateDevices();
    return all.filter((device) => device.kind === "videoinput");
  };
  // Fills the menu of cameras.
  const offer = async () => {
    const used = view.video.srcObject?.getVideoTracks()[0]?.getSettings().deviceId;
    const options = (await list()).map((camera, i) => new Option(camera.label || `Camera ${i + 1}`, camera.deviceId));
    view.cameras.replaceChildren(...options);
    view.cameras.value = used ?? "";
  };
  const isAllowed = () => permission?.state === "granted";
  // Shows the problems that are known before the visitor presses START.
  const look = async () => {
    if (!getUserMedia) return view.setTrouble("insecure");
    view.setAsks(!isAllowed());
    // Browsers list cameras (without names) even before access is allowed, so a missing camera is checked first.
    const cameras = await list();
    if (!cameras.length) view.setTrouble("missing");
    else if (permission?.state === "denied") view.setTrouble("refused");
    else if (["missing", "refused"].includes(view.trouble())) view.setTrouble("");
    if (view.isPlaying()) offer();
  };
  // Not every browser has a permission of this name.
  const ready = Promise.resolve(navigator.permissions?.query({ name: "camera" }))
    .then((status) => {
      permission = status ?? null;
      permission?.addEventListener("change", look);
    })
    .catch(() => {})
    .then(look);
  devices?.addEventListener("devicechange", look);

  let released = null; // the stream whose camera was stopped to open another one
  const show = (stream) => {
    const { video } = view;
    if (video.srcObject !== stream) stopTracks(video.srcObject); // at most one camera is on
    video.srcObject = stream;
    const [track] = stream.getVideoTracks();
    if (track && track === another) view.notify("another");
    else view.setTrouble("");
    // As in a mirror, unless the camera faces away from the visitor.
    view.root.classList.toggle("mirrored", track?.getSettings().facingMode !== "environment");
    video.play().catch(() => {});
    offer();
    // Fires only if the camera itself stopped.
    track?.addEventListener("ended", () => {
      if (video.srcObject === stream) report.lost();
    });
    const watch = setInterval(() => {
      if (video.srcObject !== stream) return clearInterval(watch);
      if (!stream.active && stream !== released) hide();
    }, 200);
  };
  // Stops the camera, but keeps showing it until another one is shown: many phones open one at a time.
  const release = () => {
    released = view.video.srcObject;
    stopTracks(released);
  };
  // Stops the camera, and shows START at once: whatever ends after this was meant to end.
  const hide = () => {
    stopTracks(view.video.srcObject);
    view.video.srcObject = null;
    report.hidden();
    view.paint();
  };

  return { open, show, release, hide, look, offer, ready, isAllowed };
}
