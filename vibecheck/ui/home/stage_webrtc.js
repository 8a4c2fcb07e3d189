// streamlit-webrtc's connections: each gets a data channel for the marks, sends as many frames as the app reads, and
// reports its state.
//
// `video` shows the camera. `report` has five functions: `sends(stream)`, `connected()`, `failed(end)`, `silent()` and
// `marked(mark)`. `end` is "" if it never connected, "lost" if the connection broke off, "closed" if the app closed it.
// `silent` is called while it is connected and the camera runs, but no marks come; it returns a promise of whether to give
// the connection up. Returns null where the visitor or the browser has turned WebRTC off.
function makeWebRtc(video, report) {
  if (!window.RTCPeerConnection) return null;
  const CHANNEL = 0; // as in video/webrtc.py
  const BITRATE = 600_000; // bits/s; more does not improve the readings at 640x480
  const ANSWER_WITHIN = 8000; // ms from the camera's picture to the app's answer
  const CONNECT_WITHIN = 2000; // ms from that answer to a connection
  const SILENT = 10_000; // ms without a mark; a busy app sends one every 5 s
  let current = null;

  // The visitor sees every frame of the camera; the app gets as many as it reads.
  const limit = async (connection, frames) => {
    const sender = connection.getSenders().find((each) => each.track?.kind === "video");
    if (!sender) return;
    const parameters = sender.getParameters();
    for (const encoding of parameters.encodings ?? []) {
      encoding.maxBitrate = BITRATE;
      encoding.maxFramerate = frames;
    }
    await sender.setParameters(parameters).catch(() => {});
  };

  const follow = (connection) => {
    current = connection;
    let state = "connecting"; // then "connected", "failed" or "closed" (by this end)
    let timer = 0;
    let asked = 0; // frames a second
    const framesShown = () => video.getVideoPlaybackQuality().totalVideoFrames;
    const expectMark = () => {
      clearTimeout(timer);
      timer = setTimeout(missMark, SILENT, framesShown());
    };
    const missMark = async (before) => {
      const last = newest;
      expectMark();
      const leave = framesShown() > before && (await report.silent());
      if (leave && state === "connected" && newest === last) fail("lost");
    };
    const fail = (end) => {
      clearTimeout(timer);
      if (state === "failed" || state === "closed") return;
      state = "failed";
      report.failed(end);
    };
    const within = (ms) => {
      clearTimeout(timer);
      if (state === "connecting") timer = setTimeout(fail, ms, "");
    };
    const closed = () => {
      state = "closed";
      clearTimeout(timer);
    };
    connection.addEventListener("connectionstatechange", (event) => {
      switch (connection.connectionState) {
        case "connected":
          state = "connected";
          expectMark();
          return report.connected();
        case "failed":
          return fail(state === "connected" ? "lost" : "");
        case "closed":
          return closed();
        case "disconnected":
          // A short interruption, on a poor network or a busy machine, after which the video continues.
          // streamlit-webrtc would end it here. When the browser gives up, the state is "failed".
          event.stopImmediatePropagation();
      }
    });
    // A browser without UDP finds no candidate that aiortc can reach, so it will never connect.
    let reachable = false;
    connection.addEventListener("icecandidate", ({ candidate }) => {
      if (candidate?.protocol === "udp") reachable = true;
      if (!candidate && !reachable && state === "connecting") fail("");
    });
    const { addTrack, setRemoteDescription, close } = connection;
    connection.addTrack = function (track, ...streams) {
      report.sends(streams[0] ?? new MediaStream([track]));
      within(ANSWER_WITHIN);
      return addTrack.call(connection, track, ...streams);
    };
    connection.setRemoteDescription = function (...options) {
      within(CONNECT_WITHIN);
      return setRemoteDescription.apply(connection, options);
    };
    connection.close = function () {
      closed();
      return close.call(connection);
    };
    const unreliable = { negotiated: true, id: CHANNEL, ordered: false, maxRetransmits: 0 };
    const channel = connection.createDataChannel("marks", unreliable);
    let newest = 0;
    channel.onmessage = ({ data }) => {
      const mark = JSON.parse(data);
      if (mark.number < newest) return; // a newer mark arrived first
      newest = mark.number;
      if (state === "connected") expectMark();
      report.marked(mark);
      if (mark.frames !== asked) limit(connection, (asked = mark.frames));
    };
    channel.onclose = () => {
      if (state === "connected") fail("closed");
    };
  };
  window.RTCPeerConnection = new Proxy(window.RTCPeerConnection, {
    construct(target, args, self) {
      const connection = Reflect.construct(target, args, self);
      follow(connection);
      return connection;
    },
  });

  // Sends another camera's track.
  const replace = (track) =>
    current?.getSenders().find((each) => each.track?.kind === "video")?.replaceTrack(track);
  return { replace };
}
