package sim

// canvas is a picture in linear light while it is being made.
type canvas struct {
	w, h  int
	pix   []float32 // red, green, blue
	depth []float32 // 1/distance, 0 far away
	focal float32   // of the lens, in pixels
	// what was drawn over since reset, in pixels, half open
	x0, y0, x1, y1 int
	verts          []vertex
	edges          []edge
}

// edge is a pixel on an outline and what it becomes.
type edge struct {
	at      int
	r, g, b float32
}

// vertex is a point of a mesh as the camera sees it: place, texel, light.
type vertex struct {
	x, y, near float32
	u, v       float32
	r, g, b    float32
	shine      vec
}

func newCanvas(w, h int) *canvas {
	// A lens of about 55° across 4:3, as webcams have.
	return &canvas{w: w, h: h, pix: make([]float32, 3*w*h), depth: make([]float32, w*h), focal: 1.27 * float32(h)}
}

// reset covers the canvas with a background of the same size.
func (c *canvas) reset(back []float32) {
	copy(c.pix, back)
	clear(c.depth)
	c.x0, c.y0, c.x1, c.y1 = c.w, c.h, 0, 0
}

// project returns where a place in camera coordinates (the lens at the
// origin, looking along -z) appears, and 1/distance; 0 behind the lens.
func (c *canvas) project(p vec) (x, y, near float32) {
	if p.z > -40 {
		return 0, 0, 0
	}
	near = -1 / p.z
	return float32(c.w)/2 + c.focal*p.x*near, float32(c.h)/2 - c.focal*p.y*near, near
}

// reserve makes verts hold n points.
func (c *canvas) reserve(n int) {
	if cap(c.verts) < n {
		c.verts = make([]vertex, n)
	}
	c.verts = c.verts[:n]
}

// fill draws the triangles of m, whose points are c.verts.
func (c *canvas) fill(m *mesh) {
	for t := 0; t < len(m.tri); t += 3 {
		c.triangle(&c.verts[m.tri[t]], &c.verts[m.tri[t+1]], &c.verts[m.tri[t+2]], m.tex)
	}
}

func (c *canvas) triangle(p, q, r *vertex, tex *texture) {
	// y grows downwards on the canvas, so what faces the lens has area < 0.
	area := (q.x-p.x)*(r.y-p.y) - (r.x-p.x)*(q.y-p.y)
	if area >= -1e-4 || p.near == 0 || q.near == 0 || r.near == 0 {
		return
	}
	x0, x1 := max(int(min(p.x, q.x, r.x)-0.5), 0), min(int(max(p.x, q.x, r.x)+0.5), c.w-1)
	y0, y1 := max(int(min(p.y, q.y, r.y)-0.5), 0), min(int(max(p.y, q.y, r.y)+0.5), c.h-1)
	if x0 > x1 || y0 > y1 {
		return
	}
	c.x0, c.y0, c.x1, c.y1 = min(c.x0, x0), min(c.y0, y0), max(c.x1, x1+1), max(c.y1, y1+1)
	inv := 1 / area
	// wq and wr are the shares of the corners q and r; both are linear.
	qx, qy := (r.y-p.y)*inv, -(r.x-p.x)*inv
	rx, ry := -(q.y-p.y)*inv, (q.x-p.x)*inv
	const slack = -1e-4
	for y := y0; y <= y1; y++ {
		px, py := float32(x0)+0.5-p.x, float32(y)+0.5-p.y
		wq, wr := px*qx+py*qy, px*rx+py*ry
		for x := x0; x <= x1; x, wq, wr = x+1, wq+qx, wr+rx {
			wp := 1 - wq - wr
			if wq < slack || wr < slack || wp < slack {
				continue
			}
			near := wp*p.near + wq*q.near + wr*r.near
			i := y*c.w + x
			if near <= c.depth[i] {
				continue
			}
			c.depth[i] = near
			a := tex.pix[tex.index(wp*p.u+wq*q.u+wr*r.u, wp*p.v+wq*q.v+wr*r.v):]
			gl := a[3]
			out := c.pix[3*i : 3*i+3 : 3*i+3]
			out[0] = a[0]*(wp*p.r+wq*q.r+wr*r.r) + gl*(wp*p.shine.x+wq*q.shine.x+wr*r.shine.x)
			out[1] = a[1]*(wp*p.g+wq*q.g+wr*r.g) + gl*(wp*p.shine.y+wq*q.shine.y+wr*r.shine.y)
			out[2] = a[2]*(wp*p.b+wq*q.b+wr*r.b) + gl*(wp*p.shine.z+wq*q.shine.z+wr*r.shine.z)
		}
	}
}

// index returns where the texel nearest to (u, v) starts in pix. Textures are
// about twice as fine as the canvas, so nothing is gained by mixing four.
func (t *texture) index(u, v float32) int {
	x, y := int(u+0.5), int(v+0.5)
	x, y = min(max(x, 0), t.w-1), min(max(y, 0), t.h-1)
	return 4 * (y*t.w + x)
}

// feather mixes the pixels on each outline with their neighbours, since a real
// pixel there sees some of both sides.
func (c *canvas) feather() {
	c.edges = c.edges[:0]
	d, w := c.depth, c.w
	far := func(a, b float32) bool { return a > b*1.018 || b > a*1.018 }
	for y := max(c.y0, 1); y < min(c.y1, c.h-1); y++ {
		for i := y*w + max(c.x0, 1); i < y*w+min(c.x1, w-1); i++ {
			if !far(d[i-1], d[i+1]) && !far(d[i-w], d[i+w]) {
				continue
			}
			e := edge{at: i}
			for _, n := range [...]int{i, i - 1, i + 1, i - w, i + w} {
				e.r, e.g, e.b = e.r+c.pix[3*n], e.g+c.pix[3*n+1], e.b+c.pix[3*n+2]
			}
			c.edges = append(c.edges, e)
		}
	}
	for _, e := range c.edges {
		c.pix[3*e.at], c.pix[3*e.at+1], c.pix[3*e.at+2] = e.r/5, e.g/5, e.b/5
	}
}
