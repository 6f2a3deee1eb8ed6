// The WebSocket: opened, watched, and opened again for as long as the page
// lives. PROTOCOL.md in the daemon's source describes the messages.

const firstPause = 250; // ms before the first new try, doubled up to longestPause
const longestPause = 2000;
const silence = 7000; // ms; the daemon says something every two seconds
const heartbeat = 5000; // ms

/**
 * Keeps a connection to the daemon.
 * on.message(type, value) gets text messages, on.picture(blob) previews,
 * on.down() is called whenever the connection is lost.
 */
export function keepLink(on) {
  let socket = null;
  let heard = 0; // performance.now() of the last sign of life
  let pause = firstPause;

  function open() {
    const s = new WebSocket(new URL("/ws", location.href));
    s.binaryType = "blob";
    s.onmessage = (event) => s === socket && receive(event.data);
    s.onclose = () => s === socket && lose();
    socket = s;
    heard = performance.now();
  }

  function receive(data) {
    heard = performance.now();
    if (typeof data !== "string") {
      on.picture(data);
      return;
    }
    const { type, value } = JSON.parse(data);
    if (type === "hello") pause = firstPause;
    on.message(type, value);
  }

  function lose() {
    const s = socket;
    socket = null; // whatever s still does is of no interest
    s.close();
    on.down();
    setTimeout(open, pause);
    pause = Math.min(longestPause, pause * 2);
  }

  // A daemon that hangs keeps its connections open: silence is a loss, too.
  setInterval(() => {
    if (socket && performance.now() - heard > silence) lose();
  }, 1000);

  // Sent from an animation frame, so that it proves that the page is painted.
  setInterval(() => requestAnimationFrame(beat), heartbeat);

  function beat() {
    if (socket && socket.readyState === WebSocket.OPEN) socket.send('{"type":"heartbeat"}');
  }

  open();
  return { beat };
}
