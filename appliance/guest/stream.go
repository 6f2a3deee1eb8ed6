package main

import "time"

// stream sends pictures for as long as the host takes them.
func (d *usbDevice) stream() {
	parity := byte(0)
	due := time.Now()
	for k := 0; ; k++ {
		p := d.wanted()
		wait := d.pictures.wait(time.Duration(p.Interval) * 100)
		if now := time.Now(); due.Before(now.Add(-wait)) {
			due = now
		}
		time.Sleep(time.Until(due))
		due = due.Add(wait)
		picture := d.pictures.next()
		if p.Format == 2 && picture != nil {
			picture = bars(sizes[p.Frame-1], k)
		}
		for at := 0; at < len(picture); {
			t := d.take()
			n := min(len(picture)-at, t.room-2, maxPayload-2)
			head := 0x80 | parity
			if at+n == len(picture) {
				head |= 2 // end of picture
			}
			b := append([]byte{2, head}, picture[at:at+n]...)
			at += n
			d.reply(retSubmit, t.seq, 0, b, len(b))
		}
		parity ^= 1
	}
}

// wanted waits until the host wants pictures, and says which.
func (d *usbDevice) wanted() commitment {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.waiting) == 0 {
		d.wake.Wait()
	}
	return d.agreed
}

func (d *usbDevice) take() transfer {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.waiting) == 0 {
		d.wake.Wait()
	}
	t := d.waiting[0]
	d.waiting = d.waiting[1:]
	return t
}

// bars is an uncompressed picture that moves.
func bars(s size, k int) []byte {
	b := make([]byte, s.width*s.height*2)
	for i := range b {
		b[i] = byte(i/s.width + k)
	}
	return b
}
