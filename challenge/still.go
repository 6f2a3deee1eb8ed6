package challenge

import "livenessd"

// Still judges one picture that nobody was asked to move for: quality and
// texture must agree. A picture that is not good enough is not judged: retry.
// It answers another question than a session, and its live is worth less: one
// frame cannot show that something moved as a head does.
func Still(o *livenessd.Observation) (livenessd.Outcome, []livenessd.Reason) {
	if len(o.Faces) == 0 {
		return livenessd.Retry, []livenessd.Reason{livenessd.NoFace}
	}
	if rs := o.Reasons(); len(rs) > 0 {
		return livenessd.Retry, rs
	}
	if o.Texture == nil {
		return livenessd.Retry, []livenessd.Reason{livenessd.TooFewFrames}
	}
	if o.Texture.Value >= o.Texture.Threshold {
		return livenessd.Live, nil
	}
	return livenessd.NotLive, []livenessd.Reason{livenessd.TextureRejected}
}
