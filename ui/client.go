package ui

import (
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"livenessd"
)

const (
	queueLength   = 32               // text messages a page may be behind before it is cut off
	readLimit     = 1024             // bytes of a message from a page; a heartbeat has 20
	writeTimeout  = 5 * time.Second  // for one message; a page that takes longer does not read
	beatInterval  = 2 * time.Second  // how often we show a page that we are there
	silenceLimit  = 15 * time.Second // a page that answers no ping for so long is gone
	closeTimeout  = 500 * time.Millisecond
	upgradeBuffer = 32 << 10 // bytes: a preview goes out in a few writes
)

// client is one connected page. Its handler's goroutine reads, one more
// writes; both end when gone or the connection is closed.
type client struct {
	conn  *websocket.Conn
	texts chan []byte // in order, none lost
	shots chan []byte // JPEG, newest wins; only carryPreviews sends
	gone  chan struct{}
	once  sync.Once // guards closing gone
}

func newClient(conn *websocket.Conn) *client {
	return &client{
		conn:  conn,
		texts: make(chan []byte, queueLength),
		shots: make(chan []byte, 1),
		gone:  make(chan struct{}),
	}
}

// leave ends the connection with a goodbye, which the writer sends.
func (c *client) leave() {
	c.once.Do(func() { close(c.gone) })
}

// cut ends the connection at once. It does not block.
func (c *client) cut() {
	c.leave()
	c.conn.Close() // the connection is over: there is nobody to tell of an error
}

// queue reports false when c is too far behind.
func (c *client) queue(message []byte) bool {
	select {
	case c.texts <- message:
		return true
	default:
		return false
	}
}

// show replaces a picture that has not gone out yet. Only one goroutine may
// call it.
func (c *client) show(jpeg []byte) {
	select {
	case <-c.shots:
	default:
	}
	c.shots <- jpeg
}

// write sends what is queued until the connection ends. It is the only
// goroutine that sends data frames.
func (c *client) write() {
	defer c.cut() // ends read, too
	beat, err := encodeMessage("beat", nil)
	if err != nil {
		return
	}
	tick := time.NewTicker(beatInterval)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-c.gone:
			c.goodbye(websocket.CloseGoingAway, "livenessd is stopping")
			return
		case m := <-c.texts:
			err = c.send(websocket.TextMessage, m)
		case m := <-c.shots:
			err = c.send(websocket.BinaryMessage, m)
		case <-tick.C:
			if err = c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeTimeout)); err == nil {
				err = c.send(websocket.TextMessage, beat)
			}
		}
		if err != nil {
			return // the page is gone or does not read: it comes back by itself
		}
	}
}

func (c *client) send(kind int, m []byte) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	return c.conn.WriteMessage(kind, m)
}

// goodbye says why before the connection is closed; a page that no longer
// reads does not get it, which is why an error is of no interest.
func (c *client) goodbye(code int, why string) {
	_ = c.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(closeTimeout))
}

// read calls beat for each heartbeat until the connection ends or the page
// says what it may not. The error says why it ended.
func (c *client) read(beat func(time.Time)) error {
	alive := func(string) error { return c.conn.SetReadDeadline(time.Now().Add(silenceLimit)) }
	if err := alive(""); err != nil {
		return err
	}
	c.conn.SetReadLimit(readLimit)
	c.conn.SetPongHandler(alive)
	for {
		kind, m, err := c.conn.ReadMessage()
		if err != nil {
			return err
		}
		if kind != websocket.TextMessage {
			c.goodbye(websocket.CloseUnsupportedData, "text messages only")
			return livenessd.ErrInvalid
		}
		what, err := parseMessage(m)
		if err != nil {
			c.goodbye(websocket.CloseInvalidFramePayloadData, "message is malformed")
			return err
		}
		if what == "heartbeat" {
			beat(time.Now())
		}
	}
}

// serveWS is the life of one connection. checkHost has passed.
func (u *UI) serveWS(w http.ResponseWriter, r *http.Request) {
	if err := checkOrigin(r); err != nil {
		u.refuse(w, r, http.StatusForbidden, err.Error())
		return
	}
	if !u.enter() {
		w.Header().Set("Retry-After", "2")
		u.refuse(w, r, http.StatusServiceUnavailable, "no place for another page now")
		return
	}
	defer u.exit()
	upgrader := websocket.Upgrader{
		HandshakeTimeout: writeTimeout,
		ReadBufferSize:   readLimit,
		WriteBufferSize:  upgradeBuffer,
		CheckOrigin:      func(*http.Request) bool { return true }, // checked above
	}
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		u.log.Info("page: handshake failed", "remote", r.RemoteAddr, "error", err)
		return
	}
	c := newClient(conn)
	defer c.cut()
	if !u.add(c) {
		return
	}
	defer u.remove(c)
	u.log.Info("page connected", "remote", r.RemoteAddr)
	var writer sync.WaitGroup
	writer.Go(c.write)
	err = c.read(u.beat)
	c.cut()
	writer.Wait()
	u.log.Info("page left", "remote", r.RemoteAddr, "why", err)
}

// enter takes one of the places; exit gives it back.
func (u *UI) enter() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.running || u.places >= MaxClients {
		return false
	}
	u.places++
	u.connections.Add(1)
	return true
}

func (u *UI) exit() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.places--
	u.connections.Done()
}

// add makes c known after queueing the greeting, so that nothing comes before
// it. It reports false when the UI has ended meanwhile.
func (u *UI) add(c *client) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !u.running {
		return false
	}
	m, err := encodeMessage("hello", hello{
		Protocol:     protocol,
		Version:      u.cfg.Version,
		View:         presentView(u.view, time.Now()),
		Camera:       cameraNotice{u.camera.Simulated},
		Languages:    u.languages.list,
		Language:     u.cfg.Language,
		PicturesKept: u.cfg.PicturesKept,
	})
	if err != nil {
		u.log.Error("page: no greeting", "error", err)
		return false
	}
	c.queue(m) // the queue is empty
	u.clients[c] = struct{}{}
	u.updateWanted()
	return true
}

func (u *UI) remove(c *client) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.clients, c)
	u.updateWanted()
}

// broadcast is called with mu held, which keeps messages in order.
func (u *UI) broadcast(kind string, value any) {
	m, err := encodeMessage(kind, value)
	if err != nil {
		u.log.Error("page: message lost", "error", err)
		return
	}
	for c := range u.clients {
		if !c.queue(m) {
			u.log.Warn("page cut off: it does not read", "remote", c.conn.RemoteAddr().String())
			delete(u.clients, c)
			c.cut()
		}
	}
	u.updateWanted()
}

// broadcastPicture gives up when the phase has moved on while the picture was
// encoded: nobody's face appears beside somebody else's result.
func (u *UI) broadcastPicture(jpeg []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if !showsPreview(u.view.Phase) {
		return
	}
	for c := range u.clients {
		c.show(jpeg)
	}
}
