/* Inside the text form (print.c, parse.c): names that both know. */
#pragma once
#include "translate/ir/ir.h"

extern const char *const ir_cc_names[CC_COUNT], *const ir_rmw_names[RMW_MINU + 1], *const ir_order_names[16];

static inline bool ir_is_memory(enum ir_op op)
{
	return op == IR_LD || op == IR_ST || op == IR_CAS || op == IR_RMW;
}
static inline bool ir_is_slot(enum ir_op op)
{
	return op == IR_GET || op == IR_SET || op == IR_GETX || op == IR_SETX;
}
