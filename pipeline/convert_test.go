package pipeline

import (
	"image"
	"math/rand/v2"
	"testing"
)

// Ensure that JPEG's pictures of every sampling and any width come out as
// their own At has them, give or take the rounding of one.
func TestFromYCbCr(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		for _, r := range []image.Rectangle{image.Rect(0, 0, 32, 8), image.Rect(0, 0, 33, 9), image.Rect(0, 0, 1, 1), image.Rect(3, 5, 20, 16)} {
			m := image.NewYCbCr(r, ratio)
			for _, plane := range [][]byte{m.Y, m.Cb, m.Cr} {
				for i := range plane {
					plane[i] = byte(rng.Uint32())
				}
			}
			dst := make([]byte, 3*r.Dx()*r.Dy())
			fromImage(dst, m)
			i := 0
			for y := r.Min.Y; y < r.Max.Y; y++ {
				for x := r.Min.X; x < r.Max.X; x++ {
					red, green, blue, _ := m.At(x, y).RGBA()
					for c, want := range []uint32{blue >> 8, green >> 8, red >> 8} {
						if d := int(dst[i+c]) - int(want); d < -1 || d > 1 {
							t.Fatalf("%v %v: pixel %d,%d colour %d is %d, want %d", ratio, r, x, y, c, dst[i+c], want)
						}
					}
					i += 3
				}
			}
		}
	}
}

func BenchmarkFromYCbCr(b *testing.B) {
	m := image.NewYCbCr(image.Rect(0, 0, 640, 480), image.YCbCrSubsampleRatio420)
	dst := make([]byte, 3*640*480)
	for b.Loop() {
		fromImage(dst, m)
	}
}
