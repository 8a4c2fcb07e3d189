// The stage: the visitor's own camera in streamlit-webrtc's frame, what the app says about it drawn over it, and
// the camera's controls in place of streamlit-webrtc's.
//
// streamlit-webrtc shows nothing where it only sends. So this goes into its frame (which is of the same origin) before
// the camera is started, follows its connection, and adds a data channel to it. Its own buttons are hidden and pressed
// from here.
//
// The page hears of each mark by the event "vibecheck-mark" of its window.
function stage(sentences, videoSocket) {
  if (window.vibecheckStage) return;

  const CHANNEL = 0; // as in video/overlay_channel.py
  const BITRATE = 600_000; // enough for 640x480: more would cost the app and show it nothing new
  const CAMERA = "vibecheck-camera"; // localStorage: the id of the camera chosen last
  const AUTOSTART = "vibecheck-autostart"; // localStorage: "yes" where the camera starts by itself

  const TRANSPORT = "vibecheck-transport"; // localStorage: "websocket" where WebRTC did not connect last time
  const ANSWER_WITHIN = 8000; // ms from the camera's picture to the app's answer
  const CONNECT_WITHIN = 2000; // ms from that answer to a connection
  const REOPEN = 5; // times that a lost WebSocket is opened again without a mark between

  const BAR = 96; // px at the top of the stage that the choice of live video, photo or upload covers, and a tag's height

  const remembered = (key) => {
    try {
      return localStorage.getItem(key) ?? "";
    } catch {
      return ""; // storage is blocked in this browser
    }
  };
  const remember = (key, value) => {
    try {
      if (value) localStorage.setItem(key, value);
      else localStorage.removeItem(key);
    } catch {
      // then it holds until the page is left
    }
  };

  const style = document.createElement("style");
  style.textContent = `
    html, body { height: 100%; margin: 0; background: #161A23 !important; }
    #root { display: none; }
    #stage { position: relative; height: 100vh; overflow: hidden; display: grid; place-items: center;
      background: radial-gradient(circle at 50% 40%, #232A38, #161A23 70%); color: #F2F4F8;
      font: 14px/1.4 "Source Sans", system-ui, sans-serif; --text: #F2F4F8; }
    #stage [hidden] { display: none !important; }
    #stage .picture { position: relative; max-width: 100%; max-height: 100%; }
    #stage video { display: block; width: 100%; height: 100%; object-fit: fill; }
    #stage.mirrored video { transform: scaleX(-1); }
    #stage .face { position: absolute; box-sizing: border-box; border: 1px solid #98A2B3; border-radius: 9%;
      transition: left .09s linear, top .09s linear, width .09s linear, height .09s linear; }
    #stage .face.read { border-width: 3px; }
    #stage .tag { position: absolute; left: -3px; bottom: calc(100% + 6px); padding: 0 .6em;
      border-radius: .7em; font-weight: 600; font-size: 15px; line-height: 1.65; color: #0D0A22;
      white-space: nowrap; }
    #stage .tag.below { bottom: auto; top: calc(100% + 6px); }
    #stage .tag:empty { display: none; }
    #stage button, #stage select { font: inherit; color: inherit; cursor: pointer; }
    #stage :focus-visible { outline: 3px solid #B79BFF; outline-offset: 2px; }
    #stage .off { display: flex; flex-direction: column; align-items: center; gap: clamp(4px, 2vh, 14px);
      padding: 0 16px; text-align: center; max-width: 30em; }
    #stage .over { position: absolute; padding: 14px 16px; border-radius: 14px; background: #0E1016E6; }
    #stage .over .start, #stage .over label { display: none; }
    #stage .start { width: clamp(76px, 26vh, 112px); aspect-ratio: 1; border: 0; border-radius: 50%; background: #8E7BFF;
      color: #0D0A22; font-weight: 700; font-size: clamp(15px, 5vh, 18px); letter-spacing: .04em;
      box-shadow: 0 0 0 10px #8E7BFF2E; }
    #stage .start:hover { background: #A595FF; }
    #stage .trouble { margin: 0; font-size: 15px; }
    #stage .trouble:empty { display: none; }
    #stage .instead { display: flex; gap: 10px; }
    #stage .pill { min-height: 44px; padding: 0 18px; border-radius: 22px; border: 1px solid #55607A; background: #1E2330; }
    #stage .pill:hover, #stage .round:hover { border-color: #8E7BFF; }
    #stage label { display: flex; align-items: center; gap: 8px; min-height: 32px; cursor: pointer; color: #C9D0DC; }
    #stage input { width: 18px; height: 18px; accent-color: #8E7BFF; margin: 0; }
    #stage .round { position: absolute; bottom: 14px; width: 44px; height: 44px; border-radius: 50%; padding: 0;
      border: 1px solid #55607A; background: #0E1016D9; display: grid; place-items: center; }
    #stage .stop { right: 14px; }
    #stage .stop i { width: 13px; height: 13px; border-radius: 2px; background: currentColor; }
    #stage .settings { left: 14px; }
    #stage .menu { position: absolute; left: 14px; bottom: 66px; padding: 12px 14px; border-radius: 14px; background: #0E1016F2;
      border: 1px solid #55607A; display: flex; flex-direction: column; gap: 8px; max-width: calc(100% - 28px);
      box-sizing: border-box; }
    #stage select { min-height: 44px; max-width: 100%; background: #1E2330; border: 1px solid #55607A; border-radius: 10px;
      padding: 0 10px; }
    @media (prefers-reduced-motion: reduce) { #stage .face { transition: none; } }
    @media (max-width: 480px) { #stage label { min-height: 44px; } }
    @media (max-height: 300px) { #stage .off { padding-top: 48px; } #stage .start { width: clamp(64px, 26vh, 112px); } }
    @media (max-height: 200px) { #stage .off label { display: none; } #stage .start { box-shadow: none; } }`;
  document.head.append(style);

  const root = document.createElement("div");
  root.id = "stage";
  root.innerHTML = `
    <div class="picture" hidden>
      <video autoplay muted playsinline aria-label="Your camera"></video><div class="faces" aria-hidden="true"></div>
    </div>
    <div class="off">
      <p class="trouble" role="alert"></p>
      <button type="button" class="start">START</button>
      <div class="instead" hidden>
        <button type="button" class="pill" data-way="photo">Take a photo</button>
        <button type="button" class="pill" data-way="upload">Upload a picture</button>
      </div>
      <label><input type="checkbox" class="auto"> Start by itself next time</label>
    </div>
    <div class="on" hidden>
      <button type="button" class="round settings" aria-label="Camera settings" aria-expanded="false">
        <svg width="20" height="20" viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" aria-hidden="true">
          <path d="M4 7h9M19 7h1M4 17h1M11 17h9"/><circle cx="16" cy="7" r="3"/><circle cx="8" cy="17" r="3"/></svg>
      </button>
      <div class="menu" hidden>
        <select aria-label="Camera"></select>
        <label><input type="checkbox" class="auto"> Start by itself next time</label>
      </div>
      <button type="button" class="round stop" aria-label="Stop the camera"><i></i></button>
    </div>`;
  document.body.prepend(root);
  const one = (selector) => root.querySelector(selector);
  const [picture, off, on, menu, select] = [".picture", ".off", ".on", ".menu", "select"].map(one);
  const [video, faces] = picture.children;
  video.muted = true; // the attribute alone does not count where it comes from innerHTML

  const announce = (name, detail) => parent.dispatchEvent(new parent.CustomEvent(`vibecheck-${name}`, { detail }));

  // What the visitor sees

  const playing = () => video.srcObject !== null;
  let own = ""; // what is in the way, as this browser says
  let told = ""; // a sentence of the app about the video before
  let heard = ""; // what the app said last, even if it no longer holds
  const paint = () => {
    picture.hidden = on.hidden = !playing();
    off.hidden = playing() && !told;
    off.classList.toggle("over", playing());
    const sentence = sentences[own] ?? told;
    one(".trouble").textContent = sentence;
    one(".instead").hidden = !sentence;
    one(".start").hidden = own === "insecure";
    if (!playing()) toggle(false);
  };
  const trouble = (kind) => {
    own = kind;
    paint();
  };

  let fading = 0;
  const wipe = () => faces.replaceChildren();
  const draw = (mark) => {
    clearTimeout(fading);
    fading = setTimeout(wipe, mark.keep * 1000);
    while (faces.children.length > mark.faces.length) faces.lastChild.remove();
    const mirrored = root.classList.contains("mirrored");
    mark.faces.forEach(([x, y, width, height], i) => {
      let box = faces.children[i];
      if (!box) {
        box = document.createElement("div");
        box.append(document.createElement("span"));
        faces.append(box);
      }
      const read = i === 0 && mark.text !== "";
      box.className = read ? "face read" : "face";
      box.style.borderColor = read ? mark.colour : "";
      const left = mirrored ? 1 - x - width : x;
      for (const [side, share] of Object.entries({ left, top: y, width, height }))
        box.style[side] = `${share * 100}%`;
      const tag = box.firstChild;
      tag.className = picture.offsetTop + y * picture.clientHeight < BAR ? "tag below" : "tag";
      tag.style.backgroundColor = read ? mark.colour : "";
      tag.textContent = read ? mark.text : "";
    });
    announce("mark", { ...mark, transport: bySocket ? "WebSocket" : "WebRTC" });
  };

  const show = (stream) => {
    video.srcObject = stream;
    own = told = "";
    const [track] = stream.getVideoTracks();
    // As in a mirror, unless the camera looks away from the visitor.
    root.classList.toggle("mirrored", track?.getSettings().facingMode !== "environment");
    video.play().catch(() => {});
    paint();
    listCameras();
    track?.addEventListener("ended", () => trouble("ended")); // not by us: that fires no event
    const watch = setInterval(() => {
      if (video.srcObject !== stream) return clearInterval(watch);
      if (stream.active) return;
      clearInterval(watch);
      leaveSocket();
      clearTimeout(fading);
      wipe();
      video.srcObject = null;
      paint();
    }, 200);
  };
  // The picture keeps its shape within the 4:3 of the stage: what the app reads is what the visitor sees.
  video.addEventListener("resize", () => {
    const shape = video.videoWidth / video.videoHeight;
    picture.style.aspectRatio = shape;
    picture.style[shape >= 4 / 3 ? "width" : "height"] = "100%";
    picture.style[shape >= 4 / 3 ? "height" : "width"] = "auto";
  });

  // The camera

  const KINDS = {
    NotFoundError: "missing",
    NotReadableError: "busy",
    AbortError: "busy",
    OverconstrainedError: "unsuitable",
    SecurityError: "insecure",
  };
  let permission = null;
  const kindOf = async (error) => {
    if (error.name !== "NotAllowedError") return KINDS[error.name] ?? "busy";
    const now = await navigator.permissions?.query({ name: "camera" }).catch(() => null);
    return now?.state === "prompt" ? "dismissed" : "refused";
  };
  const devices = navigator.mediaDevices;
  const ask = devices?.getUserMedia?.bind(devices);
  const chosen = () => {
    const deviceId = remembered(CAMERA);
    return deviceId ? { ideal: deviceId } : undefined;
  };
  if (ask) {
    devices.getUserMedia = async (constraints) => {
      try {
        return await ask({ ...constraints, video: { ...constraints.video, deviceId: chosen() } });
      } catch (error) {
        trouble(await kindOf(error));
        throw error;
      }
    };
  }
  // What can be known before the visitor presses START.
  const look = async () => {
    if (!ask) return trouble("insecure");
    // A camera is listed, if without a name, before it is allowed: where there is none, that comes first.
    const cameras = (await devices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    if (!cameras.length) trouble("missing");
    else if (permission?.state === "denied") trouble("refused");
    else if (own === "missing" || own === "refused") trouble("");
    if (playing()) listCameras();
  };
  const listCameras = async () => {
    const cameras = (await devices.enumerateDevices()).filter((device) => device.kind === "videoinput");
    const used = video.srcObject?.getVideoTracks()[0]?.getSettings().deviceId;
    select.replaceChildren(
      ...cameras.map((camera, i) => new Option(camera.label || `Camera ${i + 1}`, camera.deviceId)),
    );
    select.value = used ?? "";
  };

  // streamlit-webrtc's own buttons, which are hidden
  const press = async (name) => {
    for (let tries = 0; tries < 100; tries++) {
      const button = [...document.querySelectorAll("#root button")].find((each) => each.textContent.trim().toUpperCase() === name);
      if (button && !button.disabled) return button.click();
      await new Promise((resolve) => setTimeout(resolve, 100)); // it is being drawn, or the video before is ending
    }
  };
  const start = () => {
    told = "";
    trouble("");
    const direct = way.mode === "websocket" || (way.mode === "auto" && remembered(TRANSPORT) === "websocket");
    if (direct) startSocket();
    else press("START");
  };
  const end = (stream) => {
    for (const track of stream?.getTracks() ?? []) track.stop();
  };
  const stop = () => {
    if (!bySocket) return press("STOP");
    end(video.srcObject);
    leaveSocket();
  };

  // Where WebRTC does not connect
  let way = { mode: "webrtc" }; // how video may travel, and the ticket of its WebSocket
  let bySocket = false; // whether it does so, or tries to
  let used = ""; // the ticket used last: each works once
  let reopened = 0;
  let reopening = 0;
  const openSocket = (tries = 50) => {
    clearTimeout(reopening);
    if (!bySocket) return;
    if (way.ticket !== used) socket.open(way);
    else if (tries > 0) reopening = setTimeout(openSocket, 100, tries - 1); // the page is fetching another
    else giveUp();
  };
  const leaveSocket = () => {
    bySocket = false;
    clearTimeout(reopening);
    socket.close();
  };
  const giveUp = () => {
    end(video.srcObject);
    leaveSocket();
    remember(TRANSPORT, "");
    trouble("unconnected");
  };
  const socket = videoSocket(
    video,
    (mark) => {
      reopened = 0;
      draw(mark);
    },
    (state) => {
      announce("socket", state === "open");
      if (state === "open") {
        used = way.ticket;
        remember(TRANSPORT, "websocket");
      }
      if (state !== "lost" || !bySocket) return;
      reopened += 1;
      if (reopened > REOPEN) giveUp();
      else reopening = setTimeout(openSocket, 1000);
    },
  );
  const viaSocket = () => {
    bySocket = true;
    reopened = 0;
    openSocket();
  };
  const startSocket = async () => {
    const stream = await devices.getUserMedia(way.constraints).catch(() => null);
    if (!stream) return;
    show(stream);
    viaSocket();
  };
  // Its connection came to nothing: the camera goes on, streamlit-webrtc ends.
  const fallBack = () => {
    if (way.mode !== "auto" || bySocket || !playing()) return;
    show(video.srcObject.clone());
    press("STOP");
    viaSocket();
  };
  let connected = null; // the connection that sends the video
  const change = async () => {
    remember(CAMERA, select.value);
    const [before] = video.srcObject?.getVideoTracks() ?? [];
    if (!before) return;
    try {
      const stream = await devices.getUserMedia({ video: before.getConstraints() });
      const sender = connected?.getSenders().find((each) => each.track === before);
      await sender?.replaceTrack(stream.getVideoTracks()[0]);
      show(stream);
      before.stop();
    } catch {
      listCameras(); // the one before goes on
    }
  };

  const toggle = (open) => {
    menu.hidden = !open;
    one(".settings").setAttribute("aria-expanded", String(open));
  };
  one(".start").addEventListener("click", start);
  one(".stop").addEventListener("click", stop);
  one(".settings").addEventListener("click", () => toggle(menu.hidden));
  select.addEventListener("change", change);
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !menu.hidden) {
      toggle(false);
      one(".settings").focus();
    }
  });
  // The page's own keys, while the focus is in this frame.
  window.addEventListener("keydown", ({ key, target, ctrlKey, metaKey, altKey }) => {
    if (ctrlKey || metaKey || altKey || !menu.hidden || target.closest?.("input, select")) return;
    parent.dispatchEvent(new parent.KeyboardEvent("keydown", { key }));
  }, true);
  for (const button of root.querySelectorAll("[data-way]"))
    button.addEventListener("click", () => announce("way", button.dataset.way));
  const boxes = root.querySelectorAll(".auto");
  for (const box of boxes) {
    box.checked = remembered(AUTOSTART) === "yes";
    box.addEventListener("change", () => {
      for (const each of boxes) each.checked = box.checked;
      remember(AUTOSTART, box.checked ? "yes" : "");
    });
  }

  // The connection

  // The visitor sees every frame of the camera; the app is sent as many as it reads.
  let asked = 0;
  const send = async (connection, frames) => {
    const sender = connection.getSenders().find((each) => each.track?.kind === "video");
    if (!sender || frames === asked) return;
    asked = frames;
    const wanted = sender.getParameters();
    for (const encoding of wanted.encodings ?? []) {
      encoding.maxBitrate = BITRATE;
      encoding.maxFramerate = frames;
    }
    await sender.setParameters(wanted).catch(() => {});
  };

  const accompany = (connection) => {
    asked = 0;
    connected = connection;
    // "disconnected" is a moment without answers, on a poor network or a busy machine: the video goes on by itself
    // when it is over, but streamlit-webrtc would end it. A browser that gives up says "failed".
    let connects = true; // until it stands, or has failed
    let patience = 0;
    const tried = (well) => {
      clearTimeout(patience);
      if (!connects) return;
      connects = false;
      if (well) remember(TRANSPORT, "");
      else fallBack();
    };
    const within = (ms) => {
      clearTimeout(patience);
      if (connects) patience = setTimeout(tried, ms, false);
    };
    connection.addEventListener("connectionstatechange", (event) => {
      if (connection.connectionState === "connected") tried(true);
      if (connection.connectionState === "failed") tried(false);
      if (connection.connectionState === "closed") {
        connects = false; // by STOP
        clearTimeout(patience);
      }
      if (connection.connectionState === "disconnected") event.stopImmediatePropagation();
      if (connection.connectionState === "failed")
        for (const track of video.srcObject?.getTracks() ?? []) track.stop(); // streamlit-webrtc stops what it sends
    });
    // A browser that may not use UDP finds no candidate that aiortc could reach: no need to wait.
    let reachable = false;
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.protocol === "udp") reachable = true;
      if (!candidate && !reachable) tried(false);
    });
    const add = connection.addTrack;
    connection.addTrack = function (track, ...streams) {
      show(streams[0] ?? new MediaStream([track]));
      within(ANSWER_WITHIN);
      return add.call(connection, track, ...streams);
    };
    const answer = connection.setRemoteDescription;
    connection.setRemoteDescription = function (...options) {
      within(CONNECT_WITHIN);
      return answer.apply(connection, options);
    };
    const close = connection.close;
    connection.close = function () {
      connects = false; // by STOP, before it stood
      clearTimeout(patience);
      return close.call(connection);
    };
    const unreliable = { negotiated: true, id: CHANNEL, ordered: false, maxRetransmits: 0 };
    connection.createDataChannel("marks", unreliable).onmessage = ({ data }) => {
      const mark = JSON.parse(data);
      draw(mark);
      send(connection, mark.frames);
    };
  };
  window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
    construct(target, args, self) {
      const connection = Reflect.construct(target, args, self);
      accompany(connection);
      return connection;
    },
  });

  window.vibecheckStage = {
    tell(sentence, socketWay) {
      way = socketWay;
      if (sentence === heard) return;
      told = heard = sentence;
      paint();
    },
  };
  paint();
  devices?.addEventListener("devicechange", look);
  // Not every browser knows a permission for the camera; then only the rest is told.
  Promise.resolve(navigator.permissions?.query({ name: "camera" }))
    .then((status) => {
      permission = status ?? null;
      permission?.addEventListener("change", look);
    })
    .catch(() => {})
    .then(look)
    .then(() => {
      if (remembered(AUTOSTART) === "yes" && permission?.state === "granted" && !own) start();
    });
}

let leave = () => {}; // ends what the run before began

export default function ({ data, setTriggerValue, setStateValue }) {
  const enter = () => {
    for (const frame of document.querySelectorAll('iframe[title*="webrtc"]')) {
      const inside = frame.contentDocument;
      if (!inside?.getElementById("root")) continue;
      if (!frame.contentWindow.vibecheckStage) {
        const script = inside.createElement("script");
        script.textContent = `(${stage})(${JSON.stringify(data.sentences)}, ${videoSocket});`;
        inside.head.append(script);
      }
      frame.contentWindow.vibecheckStage.tell(data.told, data.socket);
    }
  };
  leave();
  enter();
  const watch = setInterval(enter, 100); // the frame loads in its own time, and anew after each page
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
