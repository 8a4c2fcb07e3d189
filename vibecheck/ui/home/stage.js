// Shows the visitor's own camera in streamlit-webrtc's frame, and draws over it what the app says about it.
//
// streamlit-webrtc shows nothing where it only sends. So this goes into its frame (which is of the same
// origin) before START is pressed, looks on while it opens its connection, and adds a data channel to it.
function stage() {
  if (window.vibecheckStage) return;
  window.vibecheckStage = true;

  const CHANNEL = 0; // as in video/overlay_channel.py
  const BITRATE = 600_000; // enough for 640x480: more would cost the app and show it nothing new
  const style = document.createElement("style");
  style.textContent = `
    #stage { position: relative; overflow: hidden; border-radius: 12px; background: #161A23; }
    #stage video { display: block; width: 100%; border-radius: 12px; }
    #stage video[hidden] { display: none; }
    #stage .empty { display: flex; justify-content: center; padding: 32px; color: #98A2B3; font-size: 35px; }
    #stage .face { position: absolute; box-sizing: border-box; border: 1px solid #98A2B3; border-radius: 9%;
      transition: left .09s linear, top .09s linear, width .09s linear, height .09s linear; }
    #stage .face.read { border-width: 3px; }
    #stage .tag { position: absolute; left: -3px; bottom: calc(100% + 6px); padding: 0 .6em;
      border-radius: .7em; font: 500 15px/1.65 "Source Sans", system-ui, sans-serif; color: #0D0A22;
      white-space: nowrap; }
    #stage .tag.inside { bottom: auto; top: 4px; left: 4px; }
    #stage .tag:empty { display: none; }
    @media (prefers-reduced-motion: reduce) { #stage .face { transition: none; } }`;
  document.head.append(style);
  const root = document.createElement("div");
  root.id = "stage";
  root.innerHTML = `<video autoplay muted playsinline hidden aria-label="Your camera"></video>
    <div class="empty" aria-hidden="true">📷</div><div class="faces" aria-hidden="true"></div>`;
  document.body.prepend(root);
  const [video, empty, faces] = root.children;
  video.muted = true; // the attribute alone does not count where it comes from innerHTML

  new ResizeObserver(() => {
    const height = document.body.scrollHeight;
    parent.postMessage({ isStreamlitMessage: true, type: "streamlit:setFrameHeight", height }, "*");
  }).observe(root);

  let fading = 0;
  const wipe = () => faces.replaceChildren();
  const draw = (mark) => {
    clearTimeout(fading);
    fading = setTimeout(wipe, mark.keep * 1000);
    while (faces.children.length > mark.faces.length) faces.lastChild.remove();
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
      for (const [side, share] of Object.entries({ left: x, top: y, width, height }))
        box.style[side] = `${share * 100}%`;
      const tag = box.firstChild;
      tag.className = y * root.clientHeight < 36 ? "tag inside" : "tag";
      tag.style.backgroundColor = read ? mark.colour : "";
      tag.textContent = read ? mark.text : "";
    });
  };

  const show = (stream) => {
    video.srcObject = stream;
    video.hidden = false;
    empty.hidden = true;
    empty.style.display = "none";
    video.play().catch(() => {});
    const watch = setInterval(() => {
      if (stream.active || video.srcObject !== stream) return;
      clearInterval(watch);
      clearTimeout(fading);
      wipe();
      video.srcObject = null;
      video.hidden = true;
      empty.style.display = "";
    }, 200);
  };

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
    // "disconnected" is a moment without answers, on a poor network or a busy machine: the video goes on by itself
    // when it is over, but streamlit-webrtc would end it. A browser that gives up says "failed".
    connection.addEventListener("connectionstatechange", (event) => {
      if (connection.connectionState === "disconnected") event.stopImmediatePropagation();
    });
    const add = connection.addTrack;
    connection.addTrack = function (track, ...streams) {
      show(streams[0] ?? new MediaStream([track]));
      return add.call(connection, track, ...streams);
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
}

export default function () {
  const enter = () => {
    for (const frame of document.querySelectorAll('iframe[title*="webrtc"]')) {
      const inside = frame.contentDocument;
      if (!inside?.getElementById("root") || frame.contentWindow.vibecheckStage) continue;
      const script = inside.createElement("script");
      script.textContent = `(${stage})();`;
      inside.head.append(script);
    }
  };
  enter();
  const watch = setInterval(enter, 100); // the frame loads in its own time, and anew after each page
  return () => clearInterval(watch);
}
