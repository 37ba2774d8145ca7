// Writes the launch's token as verdict only if as many chunks hold as the authenticated length says, at least one, under a usable
// context; else 0, which is failure.
KERNEL(finalize, 1)(Params p, const Block *context, u32 *verdicts) {
    u32 *verdict = verdicts + 2 * (u64)p.verdict;
    const bool holds = verdict[0] == p.expected && p.expected != 0 && usable(p, context);
    verdict[1] = holds ? p.token : 0;
}
