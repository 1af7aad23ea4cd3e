/*
 * RISC-V: names of control and status registers, those that no CPU here has among them: assembly text names them all.
 * Numbers: volume II, "CSR Listing"; volume I, "V" and "Zkr"; "RISC-V Advanced Interrupt Architecture"; "RISC-V Debug Specification".
 */
#include "guest/riscv/priv.h"

/* As many registers in a row from a number on; of more than one, and of those with first, the name is followed by first, first + 1 ... */
struct csr_name {
	u16 number;
	u8 count, first;
	const char *name, *behind; /* what stands behind the number */
};

/* clang-format off */
#define ONE(number, name) { number, 1, 0, name, "" }
static const struct csr_name names[] = {
	/* V, Zkr */
	ONE(0x008, "vstart"), ONE(0x009, "vxsat"), ONE(0x00a, "vxrm"), ONE(0x00f, "vcsr"), ONE(0x015, "seed"),
	ONE(0xc20, "vl"), ONE(0xc21, "vtype"), ONE(0xc22, "vlenb"),
	/* counters and events */
	ONE(0xc00, "cycle"), ONE(0xc01, "time"), ONE(0xc02, "instret"), { 0xc03, 29, 3, "hpmcounter", "" },
	ONE(0xc80, "cycleh"), ONE(0xc81, "timeh"), ONE(0xc82, "instreth"), { 0xc83, 29, 3, "hpmcounter", "h" },
	ONE(0xb00, "mcycle"), ONE(0xb02, "minstret"), { 0xb03, 29, 3, "mhpmcounter", "" },
	ONE(0xb80, "mcycleh"), ONE(0xb82, "minstreth"), { 0xb83, 29, 3, "mhpmcounter", "h" },
	{ 0x323, 29, 3, "mhpmevent", "" }, { 0x723, 29, 3, "mhpmevent", "h" }, ONE(0xda0, "scountovf"),
	/* S mode */
	{ 0x10c, 4, 0, "sstateen", "" }, ONE(0x114, "sieh"), ONE(0x154, "siph"), ONE(0x150, "siselect"), ONE(0x151, "sireg"),
	ONE(0x15c, "stopei"), ONE(0xdb0, "stopi"), ONE(0x5a8, "scontext"),
	/* H */
	ONE(0x600, "hstatus"), ONE(0x602, "hedeleg"), ONE(0x603, "hideleg"), ONE(0x604, "hie"), ONE(0x605, "htimedelta"),
	ONE(0x606, "hcounteren"), ONE(0x607, "hgeie"), ONE(0x608, "hvien"), ONE(0x609, "hvictl"), ONE(0x60a, "henvcfg"),
	{ 0x60c, 4, 0, "hstateen", "" }, ONE(0x612, "hedelegh"), ONE(0x613, "hidelegh"), ONE(0x615, "htimedeltah"), ONE(0x618, "hvienh"),
	ONE(0x61a, "henvcfgh"), { 0x61c, 4, 0, "hstateen", "h" }, ONE(0x643, "htval"), ONE(0x644, "hip"), ONE(0x645, "hvip"),
	{ 0x646, 2, 1, "hviprio", "" }, ONE(0x64a, "htinst"), ONE(0x655, "hviph"), { 0x656, 2, 1, "hviprio", "h" },
	ONE(0x680, "hgatp"), ONE(0x6a8, "hcontext"), ONE(0xe12, "hgeip"),
	ONE(0x200, "vsstatus"), ONE(0x204, "vsie"), ONE(0x205, "vstvec"), ONE(0x214, "vsieh"), ONE(0x240, "vsscratch"),
	ONE(0x241, "vsepc"), ONE(0x242, "vscause"), ONE(0x243, "vstval"), ONE(0x244, "vsip"), ONE(0x24d, "vstimecmp"),
	ONE(0x250, "vsiselect"), ONE(0x251, "vsireg"), ONE(0x254, "vsiph"), ONE(0x25c, "vstopei"), ONE(0x25d, "vstimecmph"),
	ONE(0x280, "vsatp"), ONE(0xeb0, "vstopi"),
	/* M mode */
	ONE(0xf11, "mvendorid"), ONE(0xf12, "marchid"), ONE(0xf13, "mimpid"),
	ONE(0x308, "mvien"), ONE(0x309, "mvip"), { 0x30c, 4, 0, "mstateen", "" }, ONE(0x313, "midelegh"), ONE(0x314, "mieh"),
	ONE(0x318, "mvienh"), ONE(0x319, "mviph"), { 0x31c, 4, 0, "mstateen", "h" }, ONE(0x34a, "mtinst"), ONE(0x34b, "mtval2"),
	ONE(0x350, "miselect"), ONE(0x351, "mireg"), ONE(0x354, "miph"), ONE(0x35c, "mtopei"), ONE(0xfb0, "mtopi"),
	{ 0x3a0, 16, 0, "pmpcfg", "" }, { 0x3b0, 64, 0, "pmpaddr", "" },
	/* debugging */
	ONE(0x7a0, "tselect"), { 0x7a1, 3, 1, "tdata", "" }, ONE(0x7a4, "tinfo"), ONE(0x7a5, "tcontrol"), ONE(0x7a8, "mcontext"),
	ONE(0x7aa, "mscontext"), ONE(0x7b0, "dcsr"), ONE(0x7b1, "dpc"), { 0x7b2, 2, 0, "dscratch", "" },
	/* floating point */
	ONE(0x001, "fflags"), ONE(0x002, "frm"), ONE(0x003, "fcsr"),
};
/* clang-format on */

void riscv_text_csr(struct text *o, unsigned number)
{
	const char *name = riscv_pcsr_name(number);
	if (name) {
		text_put(o, name);
		return;
	}
	for (unsigned i = 0; i < LEN(names); i++) {
		const struct csr_name *c = &names[i];
		if (number - c->number >= c->count)
			continue;
		text_put(o, c->name);
		if (c->count > 1)
			text_fmt(o, "%u%s", c->first + number - c->number, c->behind);
		return;
	}
	text_fmt(o, "0x%x", number);
}
