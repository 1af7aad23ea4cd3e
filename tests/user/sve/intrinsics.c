/*
 * The instructions of SVE and SVE2 that compilers make of no loop, by arm_sve.h: each is run on random vectors and predicates of 128 bits, and what it
 * leaves is printed as a sum. intrinsics.expected holds the sums of another implementation.
 */
#include <arm_sve.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#define SEED 7
#include "sums.h"

/* clang-format off */

enum { TIMES = 60 };
#define ALL svptrue_b8()
static uint8_t out[64];
static svbool_t predicate(void)
{
	uint64_t r = rnd();
	svbool_t some = svcmplt_n_u8(ALL, svreinterpret_u8_u64(svdup_u64(0)), 1);
	if (r % 8)
		some = svcmpne_n_u8(ALL, svand_n_u8_x(ALL, svreinterpret_u8_u64(svdupq_n_u64(rnd(), rnd())), 1), 0);
	return r % 16 == 1 ? svpfalse_b() : some;
}
static svuint64_t bits(void) { return svdupq_n_u64(rnd(), rnd()); }
/* Bytes out of few, so that some are equal. */
static svuint64_t few(void) { return svand_n_u64_x(ALL, bits(), 0x0303030303030303); }
static svfloat64_t numbers64(void) { return svdupq_n_f64((double)(int64_t)rnd() / 1e15, (double)(int64_t)rnd() / 1e17); }
static svfloat32_t numbers32(void) { return svdupq_n_f32((float)(int32_t)rnd() / 4096, (float)(int32_t)rnd() / 65536, (float)(int32_t)rnd(), (float)(int16_t)rnd() / 16); }
static svfloat16_t numbers16(void) { return svcvt_f16_s16_x(ALL, svasr_n_s16_x(ALL, svreinterpret_s16(bits()), 4)); }

#define PUT(v) svst1(ALL, (void *)out, v); mix(out, 16)
#define PUT_U8(v) svst1_u8(ALL, out, svreinterpret_u8(v)); mix(out, 16)
#define PUT_P(p) svst1_u8(ALL, out, svdup_n_u8_z(p, 1)); mix(out, 16)
#define PUT_X(x) do { uint64_t x_ = (uint64_t)(x); mix(&x_, 8); } while (0)
#define RUN(name, ...) do { sum = 0xcbf29ce484222325; for (int i_ = 0; i_ < TIMES; i_++) { __VA_ARGS__; } printf("%s %016llx\n", name, (unsigned long long)sum); } while (0)

/* One operation over element types. E: of which elements; op: of vectors a, b, c of them and the predicate g. */
#define ON(T, what, expr) RUN(what "_" #T, sv##T##_t_ a = OF(T), b = OF(T), c = OF(T); (void)c; (void)b; svbool_t g = predicate(); (void)g; PUT_U8(expr))
#define svs8_t_ svint8_t
#define svs16_t_ svint16_t
#define svs32_t_ svint32_t
#define svs64_t_ svint64_t
#define svu8_t_ svuint8_t
#define svu16_t_ svuint16_t
#define svu32_t_ svuint32_t
#define svu64_t_ svuint64_t
#define svf16_t_ svfloat16_t
#define svf32_t_ svfloat32_t
#define svf64_t_ svfloat64_t
#define OF(T) OF_##T
#define OF_s8 svreinterpret_s8(bits())
#define OF_s16 svreinterpret_s16(bits())
#define OF_s32 svreinterpret_s32(bits())
#define OF_s64 svreinterpret_s64(bits())
#define OF_u8 svreinterpret_u8(bits())
#define OF_u16 svreinterpret_u16(bits())
#define OF_u32 svreinterpret_u32(bits())
#define OF_u64 bits()
#define OF_f16 numbers16()
#define OF_f32 numbers32()
#define OF_f64 numbers64()
#define SIGNED(what, expr) ON(s8, what, expr); ON(s16, what, expr); ON(s32, what, expr); ON(s64, what, expr)
#define UNSIGNED(what, expr) ON(u8, what, expr); ON(u16, what, expr); ON(u32, what, expr); ON(u64, what, expr)
#define INTEGERS(what, expr) SIGNED(what, expr); UNSIGNED(what, expr)
#define FLOATS(what, expr) ON(f16, what, expr); ON(f32, what, expr); ON(f64, what, expr)

static void integers(void)
{
	INTEGERS("mla", svmla_m(g, a, b, c)); INTEGERS("msb", svmsb_z(g, a, b, c)); INTEGERS("mulh", svmulh_m(g, a, b)); INTEGERS("abd", svabd_m(g, a, b));
	INTEGERS("subr", svsubr_z(g, a, b)); INTEGERS("bic", svbic_m(g, a, b)); INTEGERS("cnot", svcnot_m(a, g, b)); INTEGERS("cnt", svcnt_z(g, svreinterpret_u64(a)));
	INTEGERS("qadd", svqadd(a, b)); INTEGERS("qsub", svqsub(a, b)); SIGNED("asrd", svasrd_m(g, a, 3)); SIGNED("cls", svcls_z(g, a));
	INTEGERS("hadd", svhadd_m(g, a, b)); INTEGERS("rhadd", svrhadd_m(g, a, b)); INTEGERS("hsubr", svhsubr_m(g, a, b)); INTEGERS("qadd_m", svqadd_m(g, a, b));
	INTEGERS("addp", svaddp_m(g, a, b)); INTEGERS("maxp", svmaxp_m(g, a, b)); SIGNED("qabs", svqabs_m(a, g, b)); SIGNED("qrdmlah", svqrdmlah(a, b, c));
	SIGNED("qdmulh", svqdmulh(a, b)); SIGNED("qrdmulh", svqrdmulh(a, b)); INTEGERS("aba", svaba(a, b, c)); INTEGERS("sra", svsra(a, b, 3)); INTEGERS("rsra", svrsra(a, b, 5));
	INTEGERS("sli", svsli(a, b, 3)); INTEGERS("sri", svsri(a, b, 5)); INTEGERS("eortb", sveortb(a, b, c)); INTEGERS("xar", svxar(a, b, 5)); INTEGERS("nbsl", svnbsl(a, b, c));
	INTEGERS("bsl1n", svbsl1n(a, b, c)); INTEGERS("bcax", svbcax(a, b, c)); INTEGERS("cadd", svcadd(a, b, 270)); INTEGERS("cmla", svcmla(a, b, c, 90)); SIGNED("qcadd", svqcadd(a, b, 90));
	SIGNED("qrdcmlah", svqrdcmlah(a, b, c, 180)); SIGNED("qshlu", svqshlu_z(g, a, 3)); INTEGERS("rshr", svrshr_x(ALL, a, 4));
}

static void between_widths(void)
{
	RUN("mullb_s16", PUT_U8(svmullb(OF_s8, OF_s8))); RUN("mullt_u32", PUT_U8(svmullt(OF_u16, OF_u16))); RUN("mlalb_s64", PUT_U8(svmlalb(OF_s64, OF_s32, OF_s32)));
	RUN("mlslt_lane_u32", PUT_U8(svmlslt_lane(OF_u32, OF_u16, OF_u16, 5))); RUN("qdmlalb_s32", PUT_U8(svqdmlalb(OF_s32, OF_s16, OF_s16))); RUN("qdmlslbt_s64", PUT_U8(svqdmlslbt(OF_s64, OF_s32, OF_s32)));
	RUN("addlb_s16", PUT_U8(svaddlb(OF_s8, OF_s8))); RUN("addwt_u64", PUT_U8(svaddwt(OF_u64, OF_u32))); RUN("sublbt_s32", PUT_U8(svsublbt(OF_s16, OF_s16))); RUN("abdlt_u16", PUT_U8(svabdlt(OF_u8, OF_u8)));
	RUN("abalb_s64", PUT_U8(svabalb(OF_s64, OF_s32, OF_s32))); RUN("shllt_u32", PUT_U8(svshllt(OF_u16, 7))); RUN("movlb_s64", PUT_U8(svmovlb(OF_s32)));
	RUN("addhnt_u8", PUT_U8(svaddhnt(OF_u8, OF_u16, OF_u16))); RUN("rsubhnb_s32", PUT_U8(svrsubhnb(OF_s64, OF_s64))); RUN("shrnt_u16", PUT_U8(svshrnt(OF_u16, OF_u32, 9)));
	RUN("qxtnb_s8", PUT_U8(svqxtnb(OF_s16))); RUN("qxtunt_u32", PUT_U8(svqxtunt(OF_u32, OF_s64))); RUN("qrshrunb_u16", PUT_U8(svqrshrunb(OF_s32, 3))); RUN("qshrnt_u8", PUT_U8(svqshrnt(OF_u8, OF_u16, 2)));
	RUN("adalp_s32", PUT_U8(svadalp_m(predicate(), OF_s32, OF_s16))); RUN("adclb_u64", PUT_U8(svadclb(OF_u64, OF_u64, OF_u64))); RUN("sbclt_u32", PUT_U8(svsbclt(OF_u32, OF_u32, OF_u32)));
	RUN("dot_s64", PUT_U8(svdot(OF_s64, OF_s16, OF_s16))); RUN("dot_lane_u32", PUT_U8(svdot_lane(OF_u32, OF_u8, OF_u8, 2))); RUN("cdot_s32", PUT_U8(svcdot(OF_s32, OF_s8, OF_s8, 90)));
	RUN("cdot_lane_s64", PUT_U8(svcdot_lane(OF_s64, OF_s16, OF_s16, 1, 270))); RUN("usdot", PUT_U8(svusdot(OF_s32, OF_u8, OF_s8))); RUN("mmla_s32", PUT_U8(svmmla(OF_s32, OF_s8, OF_s8)));
	RUN("usmmla", PUT_U8(svusmmla(OF_s32, OF_u8, OF_s8))); RUN("unpkhi_s32", PUT_U8(svunpkhi(OF_s16))); RUN("pmullb", PUT_U8(svpmullb_pair(OF_u8, OF_u8))); RUN("pmul", PUT_U8(svpmul(OF_u8, OF_u8)));
}

static void scalars(void)
{
#define REDUCE(T) RUN("reductions_" #T, sv##T##_t_ a = OF(T); svbool_t g = predicate(); PUT_X(svaddv(g, a)); PUT_X(svmaxv(g, a)); PUT_X(svminv(g, a)); PUT_X(svandv(g, a)); PUT_X(svorv(g, a)); PUT_X(sveorv(g, a)); \
	PUT_X(svlasta(g, a)); PUT_X(svlastb(g, a)); PUT_X(svclastb(g, (__typeof(svlasta(g, a)))5, a)))
	REDUCE(s8); REDUCE(s16); REDUCE(s32); REDUCE(s64); REDUCE(u8); REDUCE(u16); REDUCE(u32); REDUCE(u64);
	RUN("adda", double x = svadda(predicate(), 1.5, numbers64()); mix(&x, 8); float y = svadda(predicate(), 1.5f, numbers32()); mix(&y, 4));
	RUN("addv", double x = svaddv(predicate(), numbers64()); mix(&x, 8); float y = svmaxnmv(predicate(), numbers32()); mix(&y, 4); y = svminv(predicate(), numbers32()); mix(&y, 4));
}

static void predicates(void)
{
	RUN("while", uint64_t n = rnd() % 20, m = rnd() % 24; PUT_P(svwhilelt_b8(n, m)); PUT_P(svwhilele_b16((int32_t)n, (int32_t)m)); PUT_P(svwhilege_b32((int64_t)n, (int64_t)m)); PUT_P(svwhilegt_b8((uint32_t)n, (uint32_t)m)));
	RUN("whilerw", uint64_t n = rnd() % 40 & 62, m = rnd() % 40 & 62; PUT_P(svwhilerw((uint16_t *)(out + n), (uint16_t *)(out + m))); PUT_P(svwhilewr((uint8_t *)(out + n), (uint8_t *)(out + m))));
	RUN("break", svbool_t g = predicate(), p = predicate(), q = predicate(); PUT_P(svbrka_z(g, p)); PUT_P(svbrkb_m(q, g, p)); PUT_P(svbrkn_z(g, p, q)); PUT_P(svbrkpa_z(g, p, q)); PUT_P(svbrkpb_z(g, p, q)));
	RUN("first_next", svbool_t g = predicate(), p = predicate(); PUT_P(svpfirst(g, p)); PUT_P(svpnext_b8(g, p)); PUT_P(svpnext_b32(g, p)); PUT_X(svptest_first(g, p)); PUT_X(svptest_last(g, p)); PUT_X(svptest_any(g, p)));
	RUN("of_predicates", svbool_t g = predicate(), p = predicate(), q = predicate(); PUT_P(svnor_z(g, p, q)); PUT_P(svorn_z(g, p, q)); PUT_P(svsel(g, p, q)); PUT_P(svzip1_b16(p, q)); PUT_P(svuzp2_b8(p, q)); PUT_P(svtrn1_b32(p, q)); PUT_P(svrev_b16(p)); PUT_P(svunpkhi(p)));
	RUN("counts", svbool_t g = predicate(), p = predicate(); PUT_X(svcntp_b8(g, p)); PUT_X(svcntp_b32(g, p)); PUT_X(svqincp_n_s32_b16((int32_t)rnd(), p)); PUT_X(svqdech_pat((uint64_t)rnd() % 20, SV_VL3, 2)); PUT_X(svcntw_pat(SV_MUL3)));
	RUN("match", PUT_P(svmatch(predicate(), svreinterpret_u8(few()), svreinterpret_u8(svdup_u64(rnd() & 0x0702010607020106)))); PUT_P(svnmatch(predicate(), svreinterpret_u16(few()), svreinterpret_u16(few()))));
	RUN("compare", svbool_t g = predicate(); PUT_P(svcmpge(g, OF_s8, OF_s8)); PUT_P(svcmplt(g, OF_u16, OF_u16)); PUT_P(svcmpgt_wide(g, OF_s8, OF_s64)); PUT_P(svcmple(g, OF_s32, -3)); PUT_P(svacge(g, numbers32(), numbers32())); PUT_P(svcmpuo(g, numbers64(), numbers64())));
}

static void permutations(void)
{
	INTEGERS("compact_splice", svsplice(g, svrev(a), b)); INTEGERS("ext", svext(a, b, 1)); INTEGERS("zip", svzip2(a, b)); INTEGERS("uzp", svuzp1(a, b)); INTEGERS("trn", svtrn2(a, b)); INTEGERS("sel", svsel(g, a, b));
	INTEGERS("clasta", svclasta(g, a, b)); INTEGERS("insr", svinsr(a, (int)rnd())); INTEGERS("dup_lane", svdup_lane(a, (uint8_t)(rnd() % 17))); INTEGERS("rbit", svrbit_m(a, g, b));
	RUN("compact", PUT_U8(svcompact(predicate(), OF_s32)); PUT_U8(svcompact(predicate(), numbers64())));
	RUN("tbl", svuint8_t at = svand_x(ALL, OF_u8, 0x2f); PUT_U8(svtbl(OF_u8, at)); PUT_U8(svtbl2(svcreate2(OF_u8, OF_u8), at)); PUT_U8(svtbx(OF_u8, OF_u8, at)); PUT_U8(svtbl(OF_u16, svand_x(ALL, OF_u16, 9))));
	RUN("index", PUT_U8(svindex_s8((int8_t)rnd(), 3)); PUT_U8(svindex_u64(rnd(), rnd())); PUT_U8(svrevb_z(predicate(), OF_u64)); PUT_U8(svrevw_m(OF_u64, predicate(), OF_u64)));
	RUN("bitperm", PUT_U8(svbdep(OF_u32, OF_u32)); PUT_U8(svbext(OF_u64, OF_u64)); PUT_U8(svbgrp(OF_u8, OF_u8)));
	RUN("histograms", PUT_U8(svhistcnt_z(predicate(), svand_x(ALL, OF_u32, 3), svand_x(ALL, OF_u32, 3))); PUT_U8(svhistseg(svreinterpret_u8(few()), svreinterpret_u8(few()))));
	RUN("adr", PUT_U8(svadrw_index(OF_u64, OF_s64)); PUT_U8(svadrd_index(OF_u32, OF_u32)));
	RUN("crypto", PUT_U8(svaese(OF_u8, OF_u8)); PUT_U8(svaesimc(OF_u8)); PUT_U8(svsm4e(OF_u32, OF_u32)); PUT_U8(svsm4ekey(OF_u32, OF_u32)); PUT_U8(svrax1(OF_u64, OF_u64)); PUT_U8(svpmullt_pair(OF_u64, OF_u64)));
}

#define exponents(b) _Generic((b), svfloat16_t: svreinterpret_s16(b), svfloat32_t: svreinterpret_s32(b), default: svreinterpret_s64(b))
#define bits_of(b) _Generic((b), svfloat16_t: svreinterpret_u16(b), svfloat32_t: svreinterpret_u32(b), default: svreinterpret_u64(b))

static void floats(void)
{
	FLOATS("fmla", svmla_m(g, a, b, c)); FLOATS("fnmsb", svnmsb_z(g, a, b, c)); FLOATS("fmulx", svmulx_m(g, a, b)); FLOATS("fabd", svabd_m(g, a, b)); FLOATS("fscale", svscale_z(g, a, exponents(b)));
	FLOATS("frinta", svrinta_z(g, a)); FLOATS("frecpe", svrecpe(a)); FLOATS("frsqrts", svrsqrts(a, b)); FLOATS("fcadd", svcadd_m(g, a, b, 90)); FLOATS("fcmla", svcmla_m(g, a, b, c, 270)); FLOATS("fmaxnm", svmaxnm_m(g, a, b));
	FLOATS("faddp", svaddp_m(g, a, b)); FLOATS("fexpa", svexpa(svand_x(ALL, bits_of(a), 0x1ff))); FLOATS("ftmad", svtmad(a, b, 3)); FLOATS("fdivr", svdivr_m(g, a, b)); FLOATS("logb", svlogb_z(g, a));
	RUN("conversions", svbool_t g = predicate(); PUT_U8(svcvt_s32_z(g, numbers64())); PUT_U8(svcvt_f16_z(g, numbers32())); PUT_U8(svcvtlt_f64_m(numbers64(), g, numbers32())); PUT_U8(svcvtnt_f32_m(numbers32(), g, numbers64())); PUT_U8(svcvtx_f32_z(g, numbers64())); PUT_U8(svcvt_f64_z(g, OF_u32)));
	RUN("long_products", PUT_U8(svmlalb(numbers32(), numbers16(), numbers16())); PUT_U8(svmlslt(numbers32(), numbers16(), numbers16())); PUT_U8(svmla_lane(numbers32(), numbers32(), numbers32(), 3)); PUT_U8(svcmla_lane(numbers32(), numbers32(), numbers32(), 1, 90)));
}
/* Memory whose last bytes lie in front of a page that cannot be read. */
static uint8_t *edge;
static void memory(void)
{
	long page = sysconf(_SC_PAGESIZE);
	uint8_t *p = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(p + page, (size_t)page, PROT_NONE);
	edge = p + page;
	for (long i = 0; i < page; i++)
		p[i] = (uint8_t)rnd();
	RUN("first_fault", uint8_t *at = edge - rnd() % 33; svbool_t g = at == edge ? svpfalse_b() : ALL; svsetffr(); svuint8_t v = svldff1(g, at); svbool_t got = svrdffr(); PUT_P(got); PUT_U8(svsel(got, v, svdup_u8(0))); PUT_X(svptest_any(ALL, svrdffr_z(predicate()))));
	RUN("no_fault", uint8_t *at = edge - 16 - rnd() % 33; svsetffr(); svint32_t v = svldnf1sh_s32(svptrue_b32(), (int16_t *)at); svbool_t got = svrdffr(); PUT_P(got); PUT_U8(svsel(got, v, svdup_s32(0))));
	RUN("partial", uint8_t *at = edge - rnd() % 16; svbool_t g = svwhilelt_b8(0ll, (long long)(edge - at)); svuint8_t v = svld1(g, at); PUT_U8(v); svst1(g, at, svadd_x(g, v, 1)); mix(edge - 16, 16));
	RUN("structures", uint8_t *at = edge - 64; svbool_t g = predicate(); svuint8x3_t v = svld3(g, at); PUT_U8(svget3(v, 0)); PUT_U8(svget3(v, 2)); svst2(g, at, svcreate2(OF_u8, OF_u8)); svuint32x4_t w = svld4(g, (uint32_t *)at); PUT_U8(svget4(w, 3)); mix(at, 64));
	RUN("gathers", svbool_t g = predicate(); svuint64_t o = svand_x(ALL, OF_u64, 63); PUT_U8(svld1_gather_offset(g, (uint64_t *)(edge - 80), o)); PUT_U8(svld1sb_gather_offset_s64(g, (int8_t *)(edge - 80), o));
	    PUT_U8(svld1uh_gather_index_u32(g, (uint16_t *)(edge - 160), svand_x(ALL, OF_u32, 63))); svst1_scatter_offset(g, (uint64_t *)(edge - 80), o, OF_u64); PUT_U8(svldnt1_gather_offset(g, (uint64_t *)(edge - 80), o)); mix(edge - 80, 80));
	RUN("gather_first_fault", svuint64_t at = svadd_x(ALL, svand_x(ALL, OF_u64, 15), (uint64_t)edge - 16); svsetffr(); svuint64_t v = svldff1_gather_u64(svcmple(ALL, at, (uint64_t)edge - 8), at); PUT_P(svrdffr()); PUT_U8(svsel(svrdffr(), v, svdup_u64(0))));
	RUN("repeated", PUT_U8(svld1rq(predicate(), edge - 32)); PUT_U8(svdup_n_u32_z(predicate(), *(uint32_t *)(edge - 20))); svprfb(ALL, edge + 100, SV_PLDL1KEEP); PUT_X(svcntb()));
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	integers();
	between_widths();
	scalars();
	predicates();
	permutations();
	floats();
	memory();
	return 0;
}
