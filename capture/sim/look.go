package sim

import "math/rand/v2"

// look is what a person looks like: everything that a seed decides once.
type look struct {
	key     uint32
	skin    vec // reflectance, linear light
	hair    vec
	iris    vec
	lips    vec
	shirt   vec
	brow    float32 // strength of the brows
	stubble float32
	bald    float32 // how far the hairline has gone back, mm
	volume  float32 // thickness of the hair, mm
	long    bool    // hair down to the shoulders
	glasses bool
	wide    float32 // scale of the head's width
	tall    float32
	nose    float32
	jaw     float32
	lip     float32
	eye     float32 // opening of the eyes
	freckle float32
}

// Skin, from light to dark, in sRGB bytes: round figures within the range that
// photographs of people show.
var skins = [][3]float32{
	{228, 176, 148}, {221, 166, 134}, {211, 154, 120}, {196, 139, 104}, {176, 121, 88}, {150, 101, 72}, {122, 82, 58},
}

var hairs = [][3]float32{{28, 22, 20}, {42, 30, 24}, {62, 42, 28}, {96, 66, 40}, {150, 112, 70}, {84, 78, 74}, {20, 18, 18}}

var irises = [][3]float32{{70, 42, 24}, {54, 34, 22}, {92, 66, 36}, {84, 106, 110}, {88, 96, 66}, {44, 28, 20}}

var shirts = [][3]float32{{40, 48, 70}, {120, 30, 34}, {200, 200, 204}, {62, 92, 70}, {90, 92, 98}, {28, 28, 30}, {150, 130, 100}, {70, 100, 150}}

func newLook(r *rand.Rand) look {
	tone := r.IntN(len(skins))
	hair := r.IntN(len(hairs))
	iris := r.IntN(len(irises))
	if tone > 3 { // dark skin mostly comes with dark hair and eyes
		hair = []int{0, 1, 6}[hair%3]
		iris = []int{0, 1, 5}[iris%3]
	}
	l := look{
		key:     r.Uint32(),
		skin:    linear(skins[tone]),
		hair:    linear(hairs[hair]),
		iris:    linear(irises[iris]),
		shirt:   linear(shirts[r.IntN(len(shirts))]),
		brow:    0.6 + 0.4*r.Float32(),
		volume:  5 + 9*r.Float32(),
		wide:    1.0 + 0.1*r.Float32(),
		tall:    0.97 + 0.06*r.Float32(),
		nose:    0.85 + 0.3*r.Float32(),
		jaw:     0.92 + 0.14*r.Float32(),
		lip:     0.85 + 0.35*r.Float32(),
		eye:     0.9 + 0.25*r.Float32(),
		glasses: r.IntN(4) == 0,
		long:    r.IntN(3) == 0,
	}
	l.lips = l.skin.mul(vec{0.86, 0.62, 0.66})
	if !l.long {
		l.stubble = r.Float32() * r.Float32()
		l.bald = 14 * r.Float32() * r.Float32()
	}
	if tone < 3 {
		l.freckle = r.Float32() * r.Float32()
	}
	return l
}

// linear turns sRGB bytes into linear light, 0..1.
func linear(c [3]float32) vec {
	f := func(b float32) float32 {
		b /= 255
		if b <= 0.04045 {
			return b / 12.92
		}
		return pow((b+0.055)/1.055, 2.4)
	}
	return vec{f(c[0]), f(c[1]), f(c[2])}
}
