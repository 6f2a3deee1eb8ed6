package pipeline

import "image"

// The functions in this file turn pixels into BGR, 3 bytes a pixel. Their
// callers have checked that src and dst have the lengths that w and h mean.

// Cameras' YUYV and NV12 carry BT.601 colours in video range (Y 16..235, UV
// 16..240), as the USB Video Class has it by default. Integer arithmetic in
// 1/65536; the coefficients are ITU-R BT.601-7's, scaled by 255/219 and
// 255/224.
const (
	vY  = 76309  // 255/219
	vRV = 104597 // 1.402 · 255/224
	vGU = 25675  // 0.344136 · 255/224
	vGV = 53279  // 0.714136 · 255/224
	vBU = 132201 // 1.772 · 255/224
)

// JPEG carries the same colours in full range (JFIF 1.02).
const (
	jRV = 91881  // 1.402
	jGU = 22554  // 0.344136
	jGV = 46802  // 0.714136
	jBU = 116130 // 1.772
)

func clamp(v int32) byte {
	v >>= 16
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return byte(v)
}

// video writes one pixel of video range.
func video(dst []byte, y, u, v byte) {
	c, d, e := vY*max(int32(y)-16, 0)+1<<15, int32(u)-128, int32(v)-128
	dst[0] = clamp(c + vBU*d)
	dst[1] = clamp(c - vGU*d - vGV*e)
	dst[2] = clamp(c + vRV*e)
}

func fromYUYV(dst, src []byte, w, h int) {
	for i := 0; i < w*h/2; i++ {
		s, d := src[4*i:4*i+4:4*i+4], dst[6*i:6*i+6:6*i+6]
		video(d[:3], s[0], s[1], s[3])
		video(d[3:], s[2], s[1], s[3])
	}
}

func fromNV12(dst, src []byte, w, h int) {
	luma, chroma := src[:w*h], src[w*h:]
	for y := range h {
		row, uv := luma[y*w:(y+1)*w], chroma[y/2*w:(y/2+1)*w]
		for x, v := range row {
			video(dst[3*(y*w+x):3*(y*w+x)+3], v, uv[x&^1], uv[x|1])
		}
	}
}

func fromGrey(dst, src []byte) {
	for i, v := range src {
		d := dst[3*i : 3*i+3]
		d[0], d[1], d[2] = v, v, v
	}
}

// fromImage writes any image; JPEG's own kinds take a short way.
func fromImage(dst []byte, img image.Image) {
	b := img.Bounds()
	w := b.Dx()
	switch m := img.(type) {
	case *image.YCbCr:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			yCbCrRow(dst[3*w*(y-b.Min.Y):], m, y)
		}
		return
	case *image.Gray:
		for y := b.Min.Y; y < b.Max.Y; y++ {
			at := m.PixOffset(b.Min.X, y)
			fromGrey(dst[3*w*(y-b.Min.Y):], m.Pix[at:at+w])
		}
		return
	}
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			// Transparent parts are premultiplied: they turn dark, as if
			// the picture lay on black.
			r, g, bl, _ := img.At(x, y).RGBA()
			dst[i], dst[i+1], dst[i+2] = byte(bl>>8), byte(g>>8), byte(r>>8)
			i += 3
		}
	}
}

func yCbCrRow(dst []byte, m *image.YCbCr, y int) {
	b := m.Rect
	luma := m.Y[m.YOffset(b.Min.X, y):][:b.Dx()]
	// Horizontal halving is what cameras send; COffset does any other.
	half := b.Min.X == 0 && (m.SubsampleRatio == image.YCbCrSubsampleRatio420 || m.SubsampleRatio == image.YCbCrSubsampleRatio422)
	if !half {
		for x, v := range luma {
			at := m.COffset(b.Min.X+x, y)
			bu, guv, rv := chroma(m.Cb[at], m.Cr[at])
			full(dst[3*x:3*x+3:3*x+3], v, bu, guv, rv)
		}
		return
	}
	row := m.COffset(b.Min.X, y)
	width := len(luma)
	cb, cr := m.Cb[row:row+(width+1)/2], m.Cr[row:row+(width+1)/2]
	for i := range cb[:width/2] { // two pixels share their colours
		bu, guv, rv := chroma(cb[i], cr[i])
		d, l := dst[6*i:6*i+6:6*i+6], luma[2*i:2*i+2:2*i+2]
		y0, y1 := int32(l[0])<<16+1<<15, int32(l[1])<<16+1<<15
		d[0], d[1], d[2] = clamp(y0+bu), clamp(y0-guv), clamp(y0+rv)
		d[3], d[4], d[5] = clamp(y1+bu), clamp(y1-guv), clamp(y1+rv)
	}
	if width%2 != 0 {
		bu, guv, rv := chroma(cb[width/2], cr[width/2])
		full(dst[3*width-3:3*width:3*width], luma[width-1], bu, guv, rv)
	}
}

// chroma returns what a pixel's colours add to its light, in 1/65536.
func chroma(u, v byte) (bu, guv, rv int32) {
	cb, cr := int32(u)-128, int32(v)-128
	return jBU * cb, jGU*cb + jGV*cr, jRV * cr
}

// full writes one pixel of full range.
func full(dst []byte, y byte, bu, guv, rv int32) {
	c := int32(y)<<16 + 1<<15
	dst[0], dst[1], dst[2] = clamp(c+bu), clamp(c-guv), clamp(c+rv)
}
