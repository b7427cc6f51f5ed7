// The keys that left the source last, in one epoch. When the source comes back without its last
// deletions (a lost tail, a replica that lagged), their stale copies are deleted there.

export class RecentlyMoved {}
