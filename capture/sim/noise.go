package sim

// Value noise: random numbers on a lattice, smoothly joined. It is a pure
// function of its place and key, so a face looks the same however it is drawn.

func hash3(x, y int32, key uint32) float32 {
	h := uint32(x)*0x8da6b343 ^ uint32(y)*0xd8163841 ^ key*0xcb1ab31f
	h ^= h >> 15
	h *= 0x2c1b3c6d
	h ^= h >> 12
	h *= 0x297a2d39
	h ^= h >> 15
	return float32(h)*(2.0/4294967296.0) - 1
}

// noise is between -1 and 1 and changes over a distance of about 1.
func noise(x, y float32, key uint32) float32 {
	fx, fy := floor(x), floor(y)
	ix, iy := int32(fx), int32(fy)
	tx, ty := x-fx, y-fy
	tx, ty = tx*tx*(3-2*tx), ty*ty*(3-2*ty)
	a := hash3(ix, iy, key)
	b := hash3(ix+1, iy, key)
	c := hash3(ix, iy+1, key)
	d := hash3(ix+1, iy+1, key)
	a += (b - a) * tx
	c += (d - c) * tx
	return a + (c-a)*ty
}

// clouds sums octaves of noise, each half as strong and twice as fine.
func clouds(x, y float32, octaves int, key uint32) float32 {
	var s, a float32 = 0, 1
	for range octaves {
		s += a * noise(x, y, key)
		a *= 0.5
		x, y = x*2.03+17.3, y*2.03-9.1
		key++
	}
	return s * 0.6
}
