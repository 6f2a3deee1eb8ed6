package sim

import "math"

// Proportions of an adult head in mm: the origin lies at the height of the
// eyes, in the middle between the temples. They follow ordinary anatomical
// means: 63 mm between the pupils, 150 mm wide, 115 mm from eyes to chin.
const (
	eyeX     = 31.5
	eyeY     = -1.0
	topY     = 112
	chinY    = -122
	noseFoot = 86.5  // z of the plain head behind the nose
	lipY     = -65.5 // the line between the lips
	mouthY   = -76   // the same on the drawing scale, see drawn
)

// drawn turns a height on the head into one on the scale that nose and mouth
// were drawn on, where they lie further down.
func drawn(y float32) float32 {
	switch {
	case y > 0:
		return y
	case y > lipY:
		return y * mouthY / lipY
	}
	return mouthY + (y-lipY)*(chinY-mouthY)/(chinY-lipY)
}

// pivot is what the head turns about: the top of the neck.
var pivot = vec{0, -55, -12}

var (
	headWide = curve{{-122, 0}, {-121, 16}, {-118, 27}, {-112, 39}, {-102, 49}, {-88, 57}, {-70, 63}, {-45, 68}, {-20, 71.5}, {0, 74}, {25, 76}, {48, 76}, {68, 71}, {84, 61}, {97, 46}, {105, 32}, {110, 17}, {112, 0}}
	headFore = curve{{-122, 30}, {-121, 52}, {-118, 72}, {-114, 82}, {-107, 87}, {-99, 87}, {-93, 86}, {-80, 88}, {-60, 87}, {-40, 86}, {-20, 86}, {0, 87}, {15, 91}, {30, 93}, {45, 92}, {60, 88}, {75, 79}, {90, 62}, {101, 43}, {108, 24}, {112, 0}}
	headRear = curve{{-122, 0}, {-118, 15}, {-100, 34}, {-70, 58}, {-40, 78}, {-10, 92}, {20, 99}, {50, 96}, {75, 82}, {95, 55}, {107, 26}, {112, 0}}
	noseRise = curve{{-62, 0}, {-58, 1.6}, {-55, 6.4}, {-52, 13.6}, {-49, 18.4}, {-45, 20}, {-40, 19.2}, {-34, 17.2}, {-26, 14.4}, {-14, 9.6}, {-2, 5.2}, {8, 2.8}, {18, 0}}
	noseSide = curve{{-62, 11}, {-46, 8}, {-38, 7}, {-26, 6.5}, {-10, 7}, {18, 10}}
)

// relief is how far the face stands out from the plain head at (x, y).
func (l *look) relief(x, y float32) float32 {
	ax := abs(x)
	y = drawn(y)
	z := l.nose * noseRise.at(y) * exp(-x*x/(2*sq(noseSide.at(y))))
	z += l.nose * 4 * bell(x, y+44.5, 7.5, 5.5)        // its tip
	z += l.nose * 10 * bell(ax-13.5, y+48, 4.4, 5)     // and wings
	z -= 9 * bell(ax-32, y-1, 15, 10)                  // sockets
	z += 5.5 * bell(ax-eyeX, y-eyeY, 10, 7.5)          // eyeballs under their lids
	z += 1.5 * bell(ax-eyeX, y-eyeY-8, 13, 2.4)        // fold of the upper lid
	z += 4 * bell(ax-27, y-18, 18, 7)                  // ridge of the brows
	z += 7 * bell(ax-44, y+28, 16, 15)                 // cheekbones
	z -= 2.5 * bell(ax-27-(-y-50)*0.22, y+58, 3.5, 16) // fold from nose to mouth
	z += 5 * bell(x, y+74, 25, 17)                     // teeth behind the lips
	z -= 3 * bell(ax-27, y-mouthY, 10, 14)             // beside them the cheek falls back
	z += l.lip * 3.6 * bell(ax-5, y+71, 11, 3.6)
	z += l.lip * 4.6 * bell(x, y+82.5, 13, 4.2)
	z -= 3.2 * bell(x, y-mouthY, 20, 1.7)
	z -= 1.5 * bell(ax-27, y-mouthY, 4, 4)
	z -= 1.2 * bell(x, y+62, 2.8, 5)
	z -= 4 * bell(x, y+93, 17, 4.5)
	z += l.jaw * 6.5 * bell(x, y+107, 15, 8.5)
	return z
}

func sq(a float32) float32 { return a * a }

// hairline is 1 where hair grows, 0 on bare skin, and soft between. p is on
// the plain head.
func (l *look) hairline(p vec) float32 {
	front := 48 + l.bald - 9*bell(abs(p.x)-8, 0, 18, 1) + 3*noise(p.x/9, 0, l.key)
	temple := 8 - 0.5*(30-min(p.z, 30)) // down in front of the ears
	edge := front + (temple-front)*smooth(32, 68, abs(p.x))
	top := smooth(edge-3, edge+5, p.y)
	nape := smooth(2, -14, p.z) * smooth(-84, -70, p.y)
	return max(top, nape)
}

// headShape makes the surface of the head with its hair.
func (l *look) headShape(u, v float32) vec {
	s := 1 - 2*v
	y := -5 + 117*(0.6*float32(math.Sin(float64(s)*math.Pi/2))+0.4*s)
	y = clamp(y, chinY, topY)
	wide := headWide.at(y)
	if y < -40 {
		wide *= 1 + (l.jaw-1)*smooth(-40, -90, y)
	}
	x, z := ring(around(u), wide*l.wide, headFore.at(y), headRear.at(y), 2.25)
	p := vec{x, y, z}
	if z > 0 {
		p.z += l.relief(x, y) * smooth(5, 45, z)
	}
	if h := l.hairline(p); h > 0 {
		out := vec{p.x, max(p.y, 0) * 0.9, p.z}.unit()
		lump := 1 + 0.25*noise(p.x/14, p.z/14+p.y/20, l.key+7)
		p = p.add(out.scale(h * l.volume * lump))
	}
	if p.y < lipY { // the tables were measured on a short chin
		p.y = lipY + (p.y-lipY)*1.06
	}
	p.y *= l.tall
	return p
}

var (
	bodyWide = curve{{-1000, 190}, {-700, 185}, {-330, 222}, {-270, 218}, {-235, 206}, {-212, 186}, {-196, 155}, {-184, 120}, {-172, 84}, {-160, 62}, {-146, 55}, {-120, 54}, {-80, 54}}
	bodyFore = curve{{-1000, 125}, {-520, 130}, {-330, 120}, {-270, 100}, {-235, 82}, {-212, 68}, {-190, 54}, {-172, 46}, {-150, 42}, {-120, 42}, {-80, 40}}
	bodyRear = curve{{-1000, 130}, {-520, 130}, {-270, 120}, {-212, 96}, {-190, 82}, {-160, 70}, {-120, 66}, {-80, 66}}
)

// bodyShape makes neck, shoulders and chest.
func (l *look) bodyShape(u, v float32) vec {
	y := -85 - 915*v*(0.25+0.75*v*v)
	power := 2 + 0.5*smooth(-180, -260, y)
	x, z := ring(around(u), bodyWide.at(y), bodyFore.at(y), bodyRear.at(y), power)
	if y > -170 {
		x *= 0.9 + 0.1*l.jaw
	}
	z += 4 * bell(abs(x)-22, y+150, 9, 30) // the two cords of the neck
	return vec{x, y, z - 8}
}

// earShape makes one ear; side is +1 for the person's own left.
func (l *look) earShape(side float32) func(u, v float32) vec {
	return func(u, v float32) vec {
		a, b := u*2*math.Pi, v*math.Pi
		sa, ca := sincos(a)
		sb, cb := sincos(b)
		rim := 1 + 0.35*sb*sb
		p := vec{5 * sb * ca * rim, 30 * cb, 16 * sb * sa}
		p = vec{p.x + 0.42*p.z*-1, p.y, p.z + 0.1*p.y}
		return vec{side * (74.5*l.wide + 2 + p.x), -20 + p.y, p.z - 12}
	}
}

// maneShape makes long hair that falls behind the shoulders.
func (l *look) maneShape(u, v float32) vec {
	y := 60 - 250*v
	wide := curve{{-190, 62}, {-120, 92}, {-40, 92}, {20, 86}, {60, 60}}
	x, z := ring(around(u), wide.at(y)*l.wide, 34, 112, 2.2)
	return vec{x * (1 + 0.03*noise(u*40, y/30, l.key+3)), y, z - 14}
}
